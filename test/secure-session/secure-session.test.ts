import connectFramework from 'connect'
import { RedisStore, secureSession } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express5 from 'express'
import session from 'express-session'
import express4 from 'express4'
import { watchCommands } from '../support/commands.js'
import { gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import {
  type App,
  Browser,
  HTTPS,
  options,
  overTls,
  SECRET,
  type Site,
  STYLES,
  setCookies,
  site,
  siteOf,
  slowly,
} from './site.js'

const client = connect()
const prefix = freshPrefix()
const sites: Site[] = []

async function open(...args: Parameters<typeof site>): Promise<Site> {
  const [given, around] = args
  const made = await site({ client, prefix, ...given }, around)
  sites.push(made)
  return made
}
async function openWith(...args: Parameters<typeof siteOf>): Promise<Site> {
  const made = await siteOf(...args)
  sites.push(made)
  return made
}

const keys = () => client.keys(`${prefix}*`)

afterEach(async () => {
  for (const made of sites.splice(0)) made.close()
  await new RedisStore({ client, prefix }).clear()
})
afterAll(() => client.quit())

/** `name=<id>; …` with what changes from run to run taken out. */
function attributes(response: App): string[] {
  return setCookies(response).map((cookie) =>
    cookie.replace(/=s%3A[\w-]{43}\.[\w%]{43,}?;/, '=<id>;').replace(/Expires=[^;]+/, 'Expires=<date>'),
  )
}

describe('the cookie', () => {
  test.each<[string, object, string]>([
    ['by default', {}, '__Host-sid=<id>; Path=/; HttpOnly; Secure; SameSite=Lax'],
    [
      'sameSite strict',
      { cookie: { sameSite: 'strict' } },
      '__Host-sid=<id>; Path=/; HttpOnly; Secure; SameSite=Strict',
    ],
    ['sameSite true', { cookie: { sameSite: true } }, '__Host-sid=<id>; Path=/; HttpOnly; Secure; SameSite=Strict'],
    [
      'maxAge, priority and partitioned',
      { cookie: { maxAge: 60_000, priority: 'high', partitioned: true } },
      '__Host-sid=<id>; Path=/; Expires=<date>; HttpOnly; Secure; Partitioned; Priority=High; SameSite=Lax',
    ],
    ['a name', { name: '__Host-shop' }, '__Host-shop=<id>; Path=/; HttpOnly; Secure; SameSite=Lax'],
    ['secure false', { cookie: { secure: false } }, 'sid=<id>; Path=/; HttpOnly; SameSite=Lax'],
  ])('with %s has these attributes, and no others', async (_name, given, expected) => {
    const browser = new Browser(await open(given))
    const sent = attributes(await browser.get('/set?cart=tea'))
    expect(sent.map(sorted)).toEqual([sorted(expected)])
    expect(await browser.look()).toMatchObject({ cart: 'tea' })
  })

  test('with secure false works over plain HTTP', async () => {
    const browser = new Browser(await open({ cookie: { secure: false } }), '', {})
    await browser.get('/set?cart=tea')
    expect(await browser.look()).toMatchObject({ cart: 'tea' })
  })

  test('with maxAge is sent with every response, so that it slides as the session does', async () => {
    const browser = new Browser(await open({ cookie: { maxAge: 60_000 } }))
    await browser.get('/set?cart=tea')
    expect(attributes(await browser.get('/show'))).toHaveLength(1)
  })

  test('without maxAge is sent when it is new, and not again', async () => {
    const browser = new Browser(await open({}))
    await browser.get('/set?cart=tea')
    expect(attributes(await browser.get('/set?cart=coffee'))).toEqual([])
  })

  test('with maxAge, of a request under way, does not undo what another one has logged in', async () => {
    const slow = gate()
    const made = await openWith([
      secureSession(options({ client, prefix, cookie: { maxAge: 60_000 }, renew: false })),
      slowly(slow),
    ])
    const browser = new Browser(made)
    await browser.get('/set?cart=tea')
    const pending = new Browser(made, browser.cookie).get('/slow')
    await slow.reached
    await browser.get('/set?userId=ada')
    slow.open()
    const late = await pending
    expect(JSON.parse(late.text)).toMatchObject({ cart: 'tea' })
    expect(setCookies(late)).toEqual([])
  })
})

function sorted(cookie: string): string {
  const [first, ...rest] = cookie.split('; ')
  return [first, ...rest.sort()].join('; ')
}

describe('the id', () => {
  test('has 256 bits', async () => {
    const browser = new Browser(await open({}))
    await browser.get('/set?cart=tea')
    expect(Buffer.from(browser.sid, 'base64url')).toHaveLength(32)
  })

  test('that is signed as it should be, but names no session, never becomes one', async () => {
    const planted = 'A'.repeat(43)
    const cookie = `__Host-sid=${encodeURIComponent(`s:${sign(planted, SECRET)}`)}`
    const made = await open({ hashIds: false })
    const visitor = new Browser(made, cookie)
    expect((await visitor.look()).id).not.toBe(planted)
    expect(visitor.cookie).toBe(cookie)
    await visitor.get('/set?userId=ada')
    expect(visitor.sid).not.toBe(planted)
    expect(await keys()).toEqual([prefix + visitor.sid])
    expect(await new Browser(made, cookie).look()).toMatchObject({ user: null })
  })

  test('is in Redis as a digest only', async () => {
    const browser = new Browser(await open({}))
    await browser.get('/set?cart=tea')
    const found = await keys()
    expect(found).toHaveLength(1)
    expect(found[0]).not.toContain(browser.sid)
  })

  test('changes at login, with what the session held kept, and the old one leads nowhere', async () => {
    const made = await open({})
    const browser = new Browser(made)
    await browser.get('/set?cart=tea')
    const planted = new Browser(made, browser.cookie)
    await browser.get('/set?userId=ada')
    expect(browser.sid).not.toBe(planted.sid)
    expect(await browser.look()).toMatchObject({ user: 'ada', cart: 'tea' })
    expect(await planted.look()).toMatchObject({ user: null, cart: null })
  })

  test('is renewed as often as asked, and not with renew: false', async () => {
    for (const [renew, isRenewed] of [
      [{ every: 0.0001, grace: 0 }, true],
      [false, false],
      [undefined, false],
    ] as const) {
      const browser = new Browser(await open({ renew }))
      await browser.get('/set?cart=tea')
      const first = browser.sid
      await browser.get('/show')
      expect([renew, browser.sid !== first]).toEqual([renew, isRenewed])
      expect(await browser.look()).toMatchObject({ cart: 'tea' })
    }
  })
})

describe.each<[string, () => App]>([
  ['Express 5', express5],
  ['Express 4', express4],
])('on %s', (_name, make) => {
  test('visitors who do nothing cause no session, no cookie and no command', async () => {
    const log = await watchCommands(client, prefix)
    try {
      const response = await new Browser(await open({}, { app: make() })).get('/show')
      expect([response.status, setCookies(response)]).toEqual([200, []])
      expect(await log.take()).toEqual([])
    } finally {
      log.stop()
    }
  })

  test('one client is told from another, and both changed ends the session', async () => {
    const made = await open({}, { app: make() })
    const browser = new Browser(made)
    const home = { 'X-Forwarded-For': '203.0.113.7', 'User-Agent': 'one/1' }
    await browser.get('/set?userId=ada', home)
    const thief = { 'X-Forwarded-For': '198.51.100.20', 'User-Agent': 'two/1' }
    const { text } = await browser.get('/bound', thief)
    expect(JSON.parse(text)).toEqual({ verdict: 'both', action: 'destroy' })
    expect(await browser.look(home)).toMatchObject({ user: null })
  })

  test('with bind: false clients are not compared', async () => {
    const browser = new Browser(await open({ bind: false }, { app: make() }))
    await browser.get('/set?userId=ada', { 'X-Forwarded-For': '203.0.113.7', 'User-Agent': 'one/1' })
    expect((await browser.get('/bound')).text).toBe('null')
  })

  test('a save that fails is an error, not an answer that promises what is not there', async () => {
    const made = await open({ maxBytes: 100 }, { app: make() })
    const response = await new Browser(made).get(`/set?cart=${'x'.repeat(200)}`)
    expect([response.status, response.text, setCookies(response)]).toEqual([500, 'ERR_SESSION_TOO_LARGE', []])
  })

  test('used twice it works once', async () => {
    const twice = secureSession(options({ client, prefix }))
    const made = await openWith([twice, twice], make())
    const browser = new Browser(made)
    const response = await browser.get('/set?userId=ada')
    expect(setCookies(response)).toHaveLength(1)
    expect(await browser.look()).toMatchObject({ user: 'ada' })
  })
})

test('on Connect a login over TLS is sent its cookie, Secure', async () => {
  const app = connectFramework()
  app.use(secureSession(options({ client, prefix })))
  app.use((req: App, res: App) => {
    req.session.userId = 'ada'
    res.end('ok')
  })
  expect(await overTls(app, '/')).toEqual([expect.stringMatching(/^__Host-sid=s%3A.*; Secure/)])
})

test.each<[string, App]>([
  ['session()', session({ secret: 's', resave: false, saveUninitialized: false })],
  [
    'a session of another kind',
    (req: App, _res: App, next: () => void) => {
      req.session = {}
      next()
    },
  ],
])('next to %s it answers with an error that says what to take out', async (_name, weak) => {
  const made = await open({}, { before: [weak] })
  expect((await new Browser(made).get('/set?userId=ada')).status).toBe(500)
  expect(made.errors[0].message).toMatch(/take app\.use\(session\(\.\.\.\)\) .*out/)
})

test('a user that is a promise is an error, not a login that goes unnoticed', async () => {
  const made = await open({ user: async () => 'ada' })
  expect((await new Browser(made).get('/show')).text).toMatch(/^"user" option must return the user at once/)
})

test('another session() on its store is an error at every request: it would make the ids and cookies', async () => {
  const indexes = { user: (held: App) => held.userId }
  const store = new RedisStore({ client, prefix, ttl: 1800, absoluteTimeout: 28_800, indexes })
  const made = await siteOf([secureSession({ store, secret: SECRET, user: (held) => held.userId })])
  sites.push(made)
  await new Browser(made).get('/set?cart=tea')
  session({
    store,
    secret: 's',
    resave: false,
    saveUninitialized: false,
    genid: () => '1',
    cookie: { httpOnly: false },
  })
  const answer = await new Browser(made).get('/set?cart=tea')
  expect([answer.status, setCookies(answer)]).toEqual([500, []])
  expect(made.errors[0].message).toMatch(/^another session\(\) uses the store/)
})

test('the user is an index of the store that is made', async () => {
  const made = secureSession(options({ client, prefix, indexes: { cart: (held: App) => held.cart } }) as never)
  const opened = await siteOf([made])
  sites.push(opened)
  await new Browser(opened).get('/set?userId=countess&cart=matcha')
  expect(await made.store.countBy('user', 'countess')).toBe(1)
  expect(await made.store.countBy('cart' as never, 'matcha')).toBe(1)
  const given = options({ client, prefix, indexes: { user: () => 'x' } })
  expect(() => secureSession(given as never)).toThrow(/^"indexes.user" option must be left out/)
})

test('trust proxy true is refused by the client binding, as an error of the request', async () => {
  const before = new Browser(await open({}))
  await before.get('/set?cart=tea')
  const made = await open({}, { trustProxy: true })
  for (const cookie of ['', before.cookie]) {
    expect((await new Browser(made, cookie).get('/show')).text).toMatch(/app\.set\('trust proxy', 1\)/)
  }
})

test("with onUnavailable 'anonymous' requests go on without a session while Redis is away", async () => {
  const middleware = secureSession(options({ client, prefix, onUnavailable: 'anonymous' }))
  const browser = new Browser(await openWith([middleware]))
  middleware.store.emit('disconnect')
  expect((await browser.get('/health')).text).toBe('ok')
  middleware.store.emit('connect')
  await browser.get('/set?cart=tea')
  expect(await browser.look()).toMatchObject({ cart: 'tea' })
})

test('the store is there for the rest of the application', async () => {
  const middleware = secureSession(options({ client, prefix }))
  const browser = new Browser(await openWith([middleware]))
  await browser.get('/set?userId=ada')
  expect(await middleware.store.read(browser.sid, ['userId'])).toEqual({ userId: 'ada' })
  await middleware.store.destroy(browser.sid)
  expect(await browser.look()).toMatchObject({ user: null })
})

describe('over plain HTTP', () => {
  const PLAIN = {}

  test.each([
    ['a login', '/set?userId=ada'],
    ['a cart', '/set?cart=tea'],
    ['a login that saves', '/save?userId=ada'],
    ['a login that regenerates', '/regenerate'],
    ['a login that ignores the error of its save', '/save-regardless?userId=ada'],
    ['a form that is answered with an error of its own', '/form-refused?cart=tea'],
    ['a login that redirects', '/set?userId=ada&style=a redirect'],
  ])('%s fails with an error that says what to set, is not saved and gets no cookie', async (_name, path) => {
    const made = await open({})
    const response = await new Browser(made, '', PLAIN).get(path)
    expect(response.status).toBe(500)
    expect(setCookies(response)).toEqual([])
    expect(made.errors).toHaveLength(1)
    expect(made.errors[0].status).toBe(500)
    expect(response.text).toContain("app.set('trust proxy', 1)")
    expect(response.text).toContain('cookie: { secure: false }')
    expect(await keys()).toEqual([])
  })

  test('a proxy that says https is not believed while trust proxy is off', async () => {
    const made = await open({}, { trustProxy: false })
    expect((await new Browser(made, '', HTTPS).get('/set?userId=ada')).status).toBe(500)
    expect(await keys()).toEqual([])
  })

  test('a login of an anonymous session fails too, and leaves nobody logged in', async () => {
    const made = await open({})
    const browser = new Browser(made)
    await browser.get('/set?cart=tea')
    const response = await new Browser(made, browser.cookie, PLAIN).get('/set?userId=ada')
    expect([response.status, setCookies(response)]).toEqual([500, []])
    expect(response.text).toContain("app.set('trust proxy', 1)")
    expect(await browser.look()).toMatchObject({ user: null })
    expect(await client.keys(`${prefix}*`)).toEqual([])
  })

  test.each(['/health', '/show'])('%s, which needs no session, passes', async (path) => {
    const response = await new Browser(await open({}), '', PLAIN).get(path)
    expect([response.status, setCookies(response)]).toEqual([200, []])
  })
})

describe('a response that hands out the cookie', () => {
  test.each(Object.keys(STYLES))('with %s may not be stored by any cache', async (style) => {
    const browser = new Browser(await open({}))
    const response = await browser.get(`/set?cart=tea&style=${style}`)
    expect(setCookies(response)).toHaveLength(1)
    expect(response.headers['cache-control']).toBe('no-store')
  })

  test('may not be stored by caches that have a header of their own either', async () => {
    const own = (_req: App, res: App, next: () => void) => {
      for (const name of ['CDN-Cache-Control', 'Surrogate-Control']) res.setHeader(name, 'max-age=60')
      next()
    }
    const made = await open({}, { before: [own] })
    const { headers } = await new Browser(made).get('/set?cart=tea')
    expect([headers['cdn-cache-control'], headers['surrogate-control']]).toEqual([undefined, undefined])
    expect((await new Browser(made).get('/show')).headers['cdn-cache-control']).toBe('max-age=60')
  })

  test('may not be stored because of other cookies next to it either', async () => {
    const other = (_req: App, res: App, next: () => void) => {
      res.setHeader('Set-Cookie', 'theme=dark')
      next()
    }
    const response = await new Browser(await open({}, { before: [other] })).get('/set?cart=tea')
    expect(setCookies(response)).toHaveLength(2)
    expect(response.headers['cache-control']).toBe('no-store')
  })
})

test.each([
  ['/set?cart=milk&style=a header of its own', 'public, max-age=60'],
  ['/show', undefined],
  ['/own-cookie', 'public'],
])('a response without the session cookie keeps its caching: %s', async (path, expected) => {
  const browser = new Browser(await open({}))
  await browser.get('/set?cart=tea')
  expect((await browser.get(path)).headers['cache-control']).toBe(expected)
})
