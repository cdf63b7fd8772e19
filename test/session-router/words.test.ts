import type { Server } from 'node:http'
import { RedisStore, type SessionContent, sessionRouter } from 'connect-redis-hash'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Browser, IPHONE, MOUNT, type Options, SAME_ORIGIN, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix, indexes })
store.setMaxListeners(0)
const servers: Server[] = []

function open(options: Options = {}, before: never[] = []): Server {
  const server = site(store, { ...options, before })
  servers.push(server)
  return server
}

afterEach(() => store.clear())
afterAll(async () => {
  for (const server of servers) server.close()
  await client.quit()
})

/** Two browsers of Ada; the second was seen three hours ago. */
async function ada(server: Server): Promise<Browser> {
  const laptop = await new Browser(server).logIn('ada')
  const phone = await new Browser(server, IPHONE).logIn('ada')
  await passTime(client, prefix + phone.sid, 3 * 3_600_000)
  return laptop
}

const pageOf = async (browser: Browser, query = '') => (await browser.get(`${MOUNT}${query}`)).text
const WORDS = { title: 'Deine Geräte', logOut: 'Abmelden', lastSeen: (when: string) => `Zuletzt ${when} gesehen` }

describe('the words of the page', () => {
  test('are plain English by default, with times for scripts', async () => {
    const page = await pageOf(await ada(open()))
    expect(page).toContain('<html lang="en">')
    expect(page).toContain(
      '<p class="lead">These are the devices where you&#39;re logged in. If you don&#39;t recognise one, log it out and change your password.</p>',
    )
    expect(page).toMatch(/<p>Last seen <time datetime="\d{4}-\d\d-\d\dT[\d:.]+Z">3 hours ago<\/time><\/p>/)
    expect(page).toMatch(/<p>Since <time datetime="[^"]+">\w+ \d+, \d{4}, [\d:]+\s[AP]M UTC<\/time>/)
  })

  test('are those of the application where it has some, with the time marked up inside its sentence', async () => {
    const page = await pageOf(await ada(open({ texts: WORDS, lang: 'DE' })))
    expect(page).toContain('<html lang="de">')
    expect(page).toContain('<h1>Deine Geräte</h1>')
    expect(page).toMatch(/<p>Zuletzt <time datetime="[^"]+">vor 3 Stunden<\/time> gesehen<\/p>/)
    expect(page.match(/>Abmelden<\/button>/g)).toHaveLength(2)
    expect(page).toContain('Log out the other device')
  })

  test('that leave the time out are marked up as a whole', async () => {
    const page = await pageOf(await ada(open({ texts: { lastSeen: () => 'Somewhere else' } })))
    expect(page).toMatch(/<p><time datetime="[^"]+">Somewhere else<\/time><\/p>/)
  })

  test('are escaped, whatever is in them', async () => {
    const evil = `<img src=x onerror="alert('&')">`
    const texts = {
      ...Object.fromEntries(
        ['title', 'lead', 'back', 'thisDevice', 'unnamed', 'inUse', 'justNow', 'deviceBound', 'logOut', 'alone'].map(
          (name) => [name, evil],
        ),
      ),
      ...Object.fromEntries(
        ['lastSeen', 'since', 'number', 'logOutOthers', 'more', 'ended'].map((name) => [
          name,
          (value: unknown) => `${value}${evil}`,
        ]),
      ),
    }
    const laptop = await ada(open({ texts, back: '/' }))
    for (const query of ['', '?ended=1']) {
      const page = await pageOf(laptop, query)
      expect(page).toContain('&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;')
      expect(page).not.toContain('<img')
    }
  })

  test.each([
    ['at once', <T>(texts: T) => texts],
    ['by and by', <T>(texts: T) => Promise.resolve(texts)],
  ])('follow the language of each request, from a function that returns them %s', async (_how, given) => {
    const german = { title: 'Deine Geräte' }
    const texts = (lang: string) => given(lang === 'de' ? german : undefined)
    const laptop = await ada(open({ lang: (req) => req.headers['accept-language'], texts }))
    const ask = async (language: string) => (await laptop.get(MOUNT, { 'Accept-Language': language })).text
    expect(await ask('de')).toMatch(/<html lang="de">.+<h1>Deine Geräte<.+vor 3 Stunden</s)
    expect(await ask('en-GB')).toMatch(/<html lang="en-GB">.+<h1>Your devices<.+3 hours ago</s)
  })
})

describe('a language', () => {
  test.each(['ar', 'he', 'fa-IR', 'ur', 'ckb', 'az-Arab', 'yi', 'ar-EG'])(
    '%s runs from right to left',
    async (lang) => {
      expect(await pageOf(await ada(open({ lang, back: '/' })))).toMatch(
        new RegExp(`<html lang="${lang}" dir="rtl">.+aria-hidden="true">→<`, 's'),
      )
    },
  )

  test.each(['de', 'ja', 'ar-Latn', 'az'])('%s runs from left to right', async (lang) => {
    expect(await pageOf(await ada(open({ lang, back: '/' })))).toMatch(
      new RegExp(`<html lang="${lang}">.+aria-hidden="true">←<`, 's'),
    )
  })

  test('that the process has no data for formats times as in English', async () => {
    expect(await pageOf(await ada(open({ lang: 'tlh' })))).toMatch(/<html lang="tlh">.+3 hours ago</s)
  })

  test.each([
    ['an empty text', ''],
    ['the spelling of POSIX', 'en_US'],
    ['markup', '"><script>'],
    ['a single letter', 'x'],
    ['a wildcard', '*'],
    ['a whole header', 'de, en;q=0.5'],
    ['5,000 letters', 'a'.repeat(5000)],
    ['a name on the prototype', '__proto__'],
    ['undefined', undefined],
    ['null', null],
    ['false', false],
  ] as const)('that a request asks for as %s is the default', async (_what, asked) => {
    const laptop = await ada(open({ lang: () => asked }))
    expect(await pageOf(laptop)).toContain('<html lang="en">')
  })

  test.each([
    ['a promise', () => Promise.resolve('de')],
    ['a list', () => ['de']],
  ])('that is %s is an error of the application', async (_what, lang) => {
    const laptop = await ada(open({ lang: lang as never }))
    expect(await pageOf(laptop)).toBe('500 "lang" option must return a language tag at once, a string')
  })

  test.each([
    [
      'lang',
      () => {
        throw new Error('no language today')
      },
    ],
    [
      'texts',
      () => {
        throw new Error('no language today')
      },
    ],
  ])('that "%s" fails to tell is an error of the application', async (name, fails) => {
    const laptop = await ada(open({ [name]: fails }))
    expect(await pageOf(laptop)).toBe('500 no language today')
  })
})

describe('after sessions were ended', () => {
  const status = (page: string) => /<p class="notice" role="status">([^<]+)<\/p>/.exec(page)?.[1]

  test('the page says how many, once', async () => {
    const laptop = await ada(open())
    const [, other] = await laptop.list()
    const answer = await laptop.end(other?.handle as string)
    const next = new URL(answer.headers.location as string, `http://localhost${MOUNT}/end`)
    const page = await laptop.get(next.pathname + next.search, SAME_ORIGIN)
    expect(status(page.text)).toBe('One device was logged out.')
    expect(status(await pageOf(laptop))).toBeUndefined()
  })

  test('by somebody else at the same time, it says that there was nothing to do', async () => {
    const laptop = await new Browser(open()).logIn('ada')
    const answer = await laptop.post(`${MOUNT}/end-others`)
    expect(answer.headers.location).toBe('./?ended=0')
    expect(status(await pageOf(laptop, '/?ended=0'))).toBe('No device was logged in any more.')
    expect(status(await pageOf(laptop, '/?ended=12'))).toBe('12 devices were logged out.')
  })

  test('of which one is the own, nothing is promised to whoever comes next', async () => {
    const laptop = await ada(open())
    expect((await laptop.end(await laptop.handle())).headers.location).toBe('./')
  })

  test.each([
    ['a link of another site', '?ended=3', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a page of a sibling subdomain', '?ended=3', { 'Sec-Fetch-Site': 'same-site' }],
    ['no number', '?ended=all', SAME_ORIGIN],
    ['a negative number', '?ended=-1', SAME_ORIGIN],
    ['a huge number', '?ended=12345678901', SAME_ORIGIN],
    ['markup', '?ended=<b>3</b>', SAME_ORIGIN],
    ['nothing', '?ended', SAME_ORIGIN],
  ])('%s makes the page say nothing', async (_what, query, headers) => {
    const laptop = await ada(open())
    const { text, status: code } = await laptop.get(`${MOUNT}${query}`, headers)
    expect([code, status(text)]).toEqual([200, undefined])
  })
})

describe('options of words', () => {
  test.each([
    ['"lang" option', { lang: 'en_US' }],
    ['"lang" option', { lang: '' }],
    ['"lang" option', { lang: 7 }],
    ['"texts" option takes an options object', { texts: 'Deine Geräte' }],
    ['"texts" option has no option "titel"', { texts: { titel: 'Deine Geräte' } }],
    ['"texts" option has no option "toString"', { texts: { toString: 'x' } }],
    ['"texts.title" must be a string', { texts: { title: () => 'x' } }],
    ['"texts.more" must be a function that returns a string', { texts: { more: 'more' } }],
  ])('a TypeError says %s', (message, options) => {
    expect(() => sessionRouter({ store, ...options } as never)).toThrow(TypeError)
    expect(() => sessionRouter({ store, ...options } as never)).toThrow(message)
  })

  test.each([
    ['returns no text', { texts: { lastSeen: () => undefined } }, '"texts.lastSeen" must return a string'],
    ['has a text that is none', { texts: () => ({ title: 7 }) }, '"texts.title" must be a string'],
    ['promises a text that is none', { texts: async () => ({ title: 7 }) }, '"texts.title" must be a string'],
    ['returns a list', { texts: () => [] }, '"texts" option takes an options object'],
  ])('a function that %s is an error of the application', async (_what, options, message) => {
    expect(await pageOf(await ada(open(options as never)))).toContain(`500 ${message}`)
  })

  test('a text that is undefined is the default', async () => {
    expect(await pageOf(await ada(open({ texts: { title: undefined } as never })))).toContain('<h1>Your devices</h1>')
  })
})
