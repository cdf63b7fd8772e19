import Bowser from 'bowser'
import { bindClient, RedisStore } from 'connect-redis-hash'
import { clientLabel } from '../../../src/middleware/binding/client-label.js'
import { Browser, FIREFOX, IPHONE, site } from '../../session-router/site.js'
import { connect, freshPrefix } from '../../support/redis.js'
import { CHROME, CURL } from './user-agents.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix, indexes: { user: (held) => held.userId } })
const sites = { labelled: site(store), plain: site(store, { label: false }) }

afterEach(() => store.clear())
afterAll(async () => {
  for (const server of Object.values(sites)) server.close()
  await client.quit()
})

const field = (browser: Browser) => client.hget(prefix + browser.sid, '@client')

test.each([
  ['Firefox', FIREFOX, 'Firefox on Linux'],
  ['Chrome', CHROME, 'Chrome on Windows'],
  ['an iPhone', IPHONE, 'Safari on iOS, phone'],
  ['an iPad', IPHONE.replaceAll('iPhone', 'iPad'), 'Safari on iOS, tablet'],
  ['a browser nobody knows', 'Mozilla/5.0 (X11; Linux x86_64) QuiteUncommon/4711.0', 'Linux'],
  ['curl', CURL, ''],
  ['markup', '<img src=x onerror=alert(1)>/1 ', ''],
  ['an empty header', '', ''],
  ['no header', undefined, ''],
  ['a header that is too long', `${FIREFOX}${' '.repeat(1024)}`, ''],
])('%s has its label', (_what, userAgent, label) => {
  expect(clientLabel(userAgent)).toBe(label)
})

test('the longest label is under 64 bytes, and all of them are plain text', () => {
  const [browsers, systems] = [Bowser.BROWSER_MAP, Bowser.OS_MAP].map((names) => Object.values(names) as string[])
  const longest = (names: string[] = []) => Math.max(...names.map((name) => Buffer.byteLength(name)))
  expect(longest(browsers) + longest(systems) + ' on , tablet'.length).toBeLessThan(64)
})

test('it is stored with the session where the application asks for it, and shown by info', async () => {
  const browser = await new Browser(sites.labelled).logIn()
  expect(await field(browser)).toBe('Firefox on Linux')
  expect((await store.info(browser.sid))?.client).toBe('Firefox on Linux')
  for await (const { info } of store.scan()) expect(info.client).toBe('Firefox on Linux')
})

test('by default, and of a client that is not known, nothing is', async () => {
  const [browser, curl] = [await new Browser(sites.plain).logIn(), await new Browser(sites.labelled, CURL).logIn()]
  expect([await field(browser), await field(curl)]).toEqual([null, null])
  expect(await store.info(browser.sid)).not.toHaveProperty('client')
})

test('a login takes the label of the client that logs in, and the new id has it', async () => {
  const browser = await new Browser(sites.labelled).logIn('ada')
  const phone = browser.on(sites.labelled, IPHONE)
  await phone.get('/set/milk')
  expect(await field(phone)).toBe('Firefox on Linux')
  await phone.logIn('bob')
  expect(phone.sid).not.toBe(browser.sid)
  expect(await field(phone)).toBe('Safari on iOS, phone')
})

test('sessions from before get theirs at their next save, and lose it when labels are switched off', async () => {
  const browser = await new Browser(sites.plain).logIn()
  await browser.on(sites.labelled).get('/set/milk')
  expect(await field(browser)).toBe('Firefox on Linux')
  await browser.get('/set/lemon')
  expect((await store.info(browser.sid))?.client).toBeUndefined()
})

test('another client that is let pass does not take it over', async () => {
  const lax = site(store, { userAgent: false })
  const browser = await new Browser(lax).logIn()
  await browser.on(lax, IPHONE).get('/set/milk')
  expect(await field(browser)).toBe('Firefox on Linux')
  lax.close()
})

test('the option is a boolean', () => {
  expect(() => bindClient({ secret: 's', label: 'yes' as never })).toThrow(
    new TypeError('"label" option must be a boolean'),
  )
})
