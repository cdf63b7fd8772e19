import { RedisStore, secureSession } from 'connect-redis-hash'
import { sign, unsign } from 'cookie-signature'
import { derivedKeys } from '../../src/secure-session/secrets.js'
import { gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Browser, HTTPS, SECRET as OLD, options, type Site, setCookies, site, siteOf, slowly } from './site.js'

const NEW = 'Zp4Rw8Xn2Kd6Hs0Bv3Ty7Mf1Gq5Lc9Ja'
const client = connect()
const prefix = freshPrefix()
const sites: Site[] = []

async function deployed(secret: string | string[], given: object = {}): Promise<Site> {
  const made = await site({ client, prefix, secret, renew: false, ...given })
  sites.push(made)
  return made
}

const keys = () => client.keys(`${prefix}*`)
const signedWith = (browser: Browser, secret: string) => unsign(browser.value.slice(2), secret) !== false

afterEach(async () => {
  for (const made of sites.splice(0)) made.close()
  await new RedisStore({ client, prefix }).clear()
})
afterAll(() => client.quit())

const HOME = { ...HTTPS, 'X-Forwarded-For': '203.0.113.7', 'User-Agent': 'one/1' }
const binding = async (browser: Browser) => JSON.parse((await browser.get('/bound')).text)

async function loggedIn(secret: string | string[], given?: object): Promise<Browser> {
  const browser = new Browser(await deployed(secret, given), '', HOME)
  await browser.get('/set?userId=ada')
  return browser
}
const at = (made: Site, { cookie }: Browser) => new Browser(made, cookie, HOME)

describe('a secret that is replaced', () => {
  test('takes cookie, key in Redis and client binding along, for sessions that are used while it is in the list', async () => {
    const before = await loggedIn(OLD)
    const [oldKey] = (await keys()) as [string]
    const oldFields = await client.hgetall(oldKey)

    const during = at(await deployed([NEW, OLD]), before)
    expect(await binding(during)).toEqual({ verdict: 'match', action: 'none' })
    expect(await during.look()).toMatchObject({ user: 'ada', id: before.sid })
    await during.get('/set?cart=tea')
    expect(during.sid).toBe(before.sid)
    expect([signedWith(during, NEW), signedWith(during, OLD)]).toEqual([true, false])
    const [newKey] = (await keys()) as [string]
    expect(await keys()).toHaveLength(1)
    expect(newKey).not.toBe(oldKey)
    const newFields = await client.hgetall(newKey)
    for (const slot of ['@ip4', '@ua']) {
      expect(oldFields[slot]).toEqual(expect.any(String))
      expect(newFields[slot]).toEqual(expect.any(String))
      expect(newFields[slot]).not.toBe(oldFields[slot])
    }

    const after = await deployed(NEW)
    const visitor = at(after, during)
    expect(await binding(visitor)).toEqual({ verdict: 'match', action: 'none' })
    expect(await visitor.look()).toMatchObject({ user: 'ada', cart: 'tea' })
    expect(await at(after, before).look()).toMatchObject({ user: null })
  })

  test('goes over with a single request that only reads', async () => {
    const before = await loggedIn(OLD)
    const during = at(await deployed([NEW, OLD]), before)
    await during.look()
    const visitor = at(await deployed(NEW), during)
    expect(await binding(visitor)).toEqual({ verdict: 'match', action: 'none' })
    expect(await visitor.look()).toMatchObject({ user: 'ada', id: before.sid })
  })

  test('goes over with maxAge and with renewal as well', async () => {
    for (const given of [{ cookie: { maxAge: 60_000 } }, { renew: { every: 0.0001, grace: 0 } }]) {
      const before = await loggedIn(OLD, given)
      const during = at(await deployed([NEW, OLD], given), before)
      await during.look()
      expect(await at(await deployed(NEW, given), during).look()).toMatchObject({ user: 'ada' })
    }
  })

  test('logs out visitors who did not come while it was in the list', async () => {
    const before = await loggedIn(OLD)
    const visitor = at(await deployed(NEW), before)
    expect(await visitor.look()).toMatchObject({ user: null })
  })

  test('names no session any more, even for a cookie that is signed with the current one', async () => {
    const before = await loggedIn(OLD)
    const forged = `__Host-sid=${encodeURIComponent(`s:${sign(before.sid, NEW)}`)}`
    expect(await new Browser(await deployed(NEW), forged, HOME).look()).toMatchObject({ user: null })
    expect(await new Browser(await deployed([NEW, OLD]), forged, HOME).look()).toMatchObject({ user: 'ada' })
  })

  test('sends the cookie again once, not for ever', async () => {
    const before = await loggedIn(OLD)
    const during = at(await deployed([NEW, OLD]), before)
    const first = await during.get('/show')
    expect(setCookies(first)).toHaveLength(1)
    expect(first.headers['cache-control']).toBe('no-store')
    expect(setCookies(await during.get('/show'))).toEqual([])
  })

  test('does not send the cookie of a session that ended meanwhile, which would undo a login', async () => {
    const before = await loggedIn(OLD)
    const slow = gate()
    const made = await siteOf([
      secureSession(options({ client, prefix, secret: [NEW, OLD], renew: false })),
      slowly(slow),
    ])
    sites.push(made)
    const pending = at(made, before).get('/slow')
    await slow.reached
    await at(made, before).get('/set?userId=bob')
    slow.open()
    const late = await pending
    expect(JSON.parse(late.text)).toMatchObject({ user: 'ada' })
    expect(setCookies(late)).toEqual([])
  })

  test('does not help a cookie that neither signed', async () => {
    const before = await loggedIn(OLD)
    const forged = `__Host-sid=${encodeURIComponent(`s:${sign(before.sid, 'x'.repeat(32))}`)}`
    expect(await new Browser(await deployed([NEW, OLD]), forged, HOME).look()).toMatchObject({ user: null })
  })
})

test('keys for Redis and for the binding are neither the secret nor each other', async () => {
  const browser = await loggedIn(OLD)
  const plain = new RedisStore({ client, prefix, hashIds: OLD })
  expect(await plain.exists(browser.sid)).toBe(false)
  expect(await secureSession(options({ client, prefix })).store.exists(browser.sid)).toBe(true)
  const [forIds, forBinding] = [derivedKeys([OLD], 'hashIds'), derivedKeys([OLD], 'bindClient')]
  expect(new Set([OLD, ...forIds, ...forBinding]).size).toBe(3)
})

test('hashIds of the caller is used instead of the derived keys', async () => {
  const browser = await loggedIn(OLD, { hashIds: 'own key' })
  expect(await new RedisStore({ client, prefix, hashIds: 'own key' }).exists(browser.sid)).toBe(true)
})
