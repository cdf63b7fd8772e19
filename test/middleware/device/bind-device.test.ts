import { bindDevice, RedisStore, requireBoundDevice, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { watchCommands } from '../../support/commands.js'
import { challengeIn, DeviceBrowser, setCookiesOf } from '../../support/device-browser.js'
import { connect, freshPrefix } from '../../support/redis.js'
import { type Bag, type DeviceSite, deviceSite } from './site.js'

const client = connect()
let site: DeviceSite
let ada: DeviceBrowser

beforeEach(() => {
  site = deviceSite(client)
  ada = new DeviceBrowser(site.server)
})
afterEach(() => site.close())
afterAll(() => client.quit())

const me = async (browser: DeviceBrowser) => (await browser.send('get', '/me')).body
const names = () => site.events.map(([name]) => name)
const GONE = '__Host-device=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0'

/** Ada has used the site, and the first seconds are over. */
async function settled(): Promise<void> {
  await ada.logIn()
  await ada.get('/me')
  await site.pass(ada, 11)
}

test('a request with a bound cookie is served, and knows it', async () => {
  await ada.logIn()
  expect(await me(ada)).toEqual({ user: 'ada', device: { bound: true, fresh: true } })
  expect(await site.fields()).toMatchObject({ '@db': expect.stringMatching(/ c$/) })
})

test('a browser that cannot bind sessions notices nothing', async () => {
  await ada.send('get', '/login?userId=ada')
  await site.pass(ada, 3600)
  expect(await me(ada)).toEqual({ user: 'ada', device: { bound: false, fresh: false } })
  expect(site.events).toEqual([])
})

test('a bound session costs one command per request, as before', async () => {
  await settled()
  const log = await watchCommands(client, site.prefix)
  await ada.get('/me')
  await ada.get('/me')
  expect((await log.take()).map(([name]) => name?.toLowerCase())).toEqual(['hgetall', 'hgetall'])
  log.stop()
})

test.each([
  ['without the bound cookie', () => ada.stolen(['__Host-sid'])],
  [
    'with the bound cookie after its end',
    async () => {
      const thief = ada.stolen()
      await site.pass(thief, 611)
      return thief
    },
  ],
])('a request %s is as one without a session, and destroys nothing', async (_what, of) => {
  await settled()
  const thief = await of()
  const response = await thief.send('get', '/me')
  expect(response.body).toEqual({ user: null, device: { bound: true, fresh: false } })
  expect(setCookiesOf(response)).toEqual([])
  const [found] = await site.sessions.store.findBy('user', 'ada')
  expect(site.events.at(-1)).toEqual(['unbound', { handle: found?.handle }])
  await ada.refresh()
  expect((await me(ada)).user).toBe('ada')
})

test('the bound cookie alone is worth nothing, also beside a session of the thief', async () => {
  await settled()
  const thief = ada.stolen(['__Host-device'])
  expect(await me(thief)).toEqual({ user: null, device: { bound: false, fresh: false } })
  await thief.send('get', '/login?userId=eve')
  expect(await me(thief)).toEqual({ user: 'eve', device: { bound: false, fresh: false } })
  expect((await thief.send('get', '/pay')).status).toBe(403)
  expect((await me(ada)).user).toBe('ada')
})

test('a thief from elsewhere, whom bindClient would end the session for, cannot even do that', async () => {
  await settled()
  const elsewhere = { 'User-Agent': 'curl/8.5.0', 'X-Forwarded-For': '198.51.100.20' }
  const thief = new DeviceBrowser(site.server, elsewhere)
  thief.jar.set('__Host-sid', ada.jar.get('__Host-sid') as string)
  expect((await me(thief)).user).toBeNull()
  const cookie = `__Host-sid=${thief.jar.get('__Host-sid')}`
  const socket = { headers: { cookie, 'user-agent': 'curl/8.5.0' }, socket: { remoteAddress: '198.51.100.20' } }
  expect(await site.sessions.load(socket as Bag)).toBeNull()
  expect((await me(ada)).user).toBe('ada')
})

test('the previous cookie counts until its own end', async () => {
  await settled()
  const previous = ada.stolen()
  await site.pass(previous, 500)
  await ada.refresh()
  expect((await me(previous)).user).toBe('ada')
  await site.pass(previous, 111)
  expect((await me(previous)).user).toBeNull()
  expect((await me(ada)).user).toBe('ada')
})

test('what a thief writes without the bound cookie goes into a session of their own', async () => {
  await settled()
  const thief = ada.stolen(['__Host-sid'])
  const response = await thief.send('get', '/cart?cart=gold')
  expect(response.body).toEqual({ user: null })
  expect(setCookiesOf(response)).toEqual([expect.stringMatching(/^__Host-sid=/)])
  expect(thief.jar.get('__Host-sid')).not.toBe(ada.jar.get('__Host-sid'))
  const held = (await site.sessions.store.findBy('user', 'ada'))[0]
  expect(held?.deviceBound).toBe(true)
  expect((await me(ada)).user).toBe('ada')
})

test('whoever is refused can log in, which binds them anew', async () => {
  await settled()
  const lost = ada.stolen(['__Host-sid'])
  await lost.logIn()
  expect(await me(lost)).toEqual({ user: 'ada', device: { bound: true, fresh: true } })
})

test('why the browser did not refresh is in the event', async () => {
  await settled()
  const thief = ada.stolen(['__Host-sid'])
  const skipped = `quota_exceeded;session_identifier="${ada.bound?.id}"`
  await thief.send('get', '/me', { 'Secure-Session-Skipped': skipped })
  expect(site.events.at(-1)?.[1]).toMatchObject({ skipped: 'quota_exceeded' })
  await thief.send('get', '/me', { 'Secure-Session-Skipped': 'forged"; text' })
  expect(site.events.at(-1)?.[1]).not.toHaveProperty('skipped')
})

describe('a visitor whom another site leads here', () => {
  const led = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }

  test('comes without the bound cookie, and is asked to come again from this site', async () => {
    await settled()
    const late = ada.stolen(['__Host-sid'])
    const response = await late.send('get', '/me?a=1&b="<x', led)
    expect([response.status, response.type, setCookiesOf(response)]).toEqual([200, 'text/html', []])
    expect(response.text).toContain('content="1; url=./me?a=1&amp;b=%22%3Cx"')
    expect(response.headers['cache-control']).toBe('no-store')
    expect(response.text).not.toContain('ada')
    // The second time they come from here, so that nobody goes in circles.
    const again = await late.send('get', '/me', { ...led, 'Sec-Fetch-Site': 'same-origin' })
    expect(again.body.user).toBeNull()
  })

  test.each([
    ['/me?next=/home', './me?next=/home'],
    ['/shop/tea/', './'],
    ['/?back=//evil.example/x', './?back=//evil.example/x'],
    ['//evil.example/x?y', './x?y'],
    ['/', './'],
  ])('at %s is led to the same address, and to no other host', async (path, again) => {
    await settled()
    const late = ada.stolen(['__Host-sid'])
    const response = await late.send('get', path, led)
    expect(response.text).toContain(`content="1; url=${again}"`)
    expect(response.text).toContain(`href="${again}"`)
  })

  test('is served at once with the bound cookie, and without a bound session', async () => {
    await settled()
    expect((await ada.send('get', '/me', led)).body.user).toBe('ada')
    expect((await new DeviceBrowser(site.server).send('get', '/me', led)).body.user).toBeNull()
  })
})

describe('logout and login', () => {
  test.each(['/logout', '/end-session', '/max-age'])('%s deletes both cookies', async (path) => {
    await settled()
    const response = await ada.send('get', path)
    expect(setCookiesOf(response).map((line) => line.split('=')[0])).toEqual(
      expect.arrayContaining(['__Host-sid', '__Host-device']),
    )
    expect(setCookiesOf(response)).toContain(GONE)
    expect([...ada.jar.keys()].filter((name) => path !== '/max-age' || name !== '__Host-sid')).toEqual([])
  })

  test.each(['/logout', '/end-session'])('%s deletes both cookies of a session that is gone', async (path) => {
    await settled()
    const tab = ada.stolen()
    await ada.send('get', '/logout')
    await tab.send('get', path)
    expect([...tab.jar.keys()]).toEqual([])
  })

  test('a request without the bound cookie keeps the session cookie: the owner goes on', async () => {
    await settled()
    const tab = ada.stolen(['__Host-sid'])
    expect(setCookiesOf(await tab.send('get', '/me'))).toEqual([])
  })

  test('a logout ends the session, and deletes the bound cookie', async () => {
    await settled()
    const response = await ada.send('get', '/logout')
    expect(setCookiesOf(response)).toContain(GONE)
    expect((await ada.ask()).body).toEqual({ continue: false })
    expect(await site.sessions.store.ids()).toEqual([])
  })

  test('a login as somebody else is bound anew, and the browser forgets the key before', async () => {
    await settled()
    const { '@dk': before } = await site.fields()
    const [old] = [ada.bound?.id as string]
    const response = await ada.send('get', '/login?userId=bob')
    expect(setCookiesOf(response)).toContain(GONE)
    expect(response.headers).toHaveProperty('secure-session-registration')
    expect(await site.fields()).not.toHaveProperty('@dk')
    expect((await ada.ask(old)).body).toEqual({ continue: false })
    expect((await ada.register()).status).toBe(200)
    expect((await site.fields())['@dk']).toBe(before)
    expect(await me(ada)).toEqual({ user: 'bob', device: { bound: true, fresh: true } })
  })

  test.each(['true', 'false'])('rotateSession({ login: %s }) keeps the key and the cookie', async (login) => {
    await settled()
    const sid = ada.jar.get('__Host-sid')
    const before = await site.fields()
    const response = await ada.send('get', `/again?login=${login}`)
    expect(response.body).toEqual({ done: true })
    expect(response.headers).not.toHaveProperty('secure-session-registration')
    expect(ada.jar.get('__Host-sid')).not.toBe(sid)
    const after = await site.fields()
    expect([after['@dk'], after['@db']]).toEqual([before['@dk'], before['@db']])
    expect(await me(ada)).toEqual({ user: 'ada', device: { bound: true, fresh: true } })
    expect((await ada.refresh()).status).toBe(200)
  })

  test('a refresh that overlaps rotateSession costs the browser nothing', async () => {
    await settled()
    const tab = ada.stolen()
    await ada.send('get', '/again')
    const response = await tab.ask(ada.bound?.id)
    expect([response.status, response.body]).toEqual([503, {}])
    expect((await ada.refresh()).status).toBe(200)
  })

  test.each(['true', 'false'])('a registration during rotateSession({ login: %s }) is kept', async (login) => {
    await ada.send('get', '/login?userId=ada')
    site.beforeRotation = () => ada.register()
    expect((await ada.send('get', `/again?login=${login}`)).body).toEqual({ done: true })
    expect(await me(ada)).toEqual({ user: 'ada', device: { bound: true, fresh: true } })
    expect((await ada.refresh()).status).toBe(200)
    expect(names()).toEqual(['bound'])
  })

  test('a renewal leaves the binding alone', async () => {
    await site.close()
    site = deviceSite(client, { renew: { every: 0, grace: 0 } })
    ada = new DeviceBrowser(site.server)
    await ada.logIn()
    const { '@dk': key, '@db': binding } = await site.fields()
    const ids = new Set<string | undefined>()
    for (let i = 0; i < 4; i++) {
      expect((await me(ada)).user).toBe('ada')
      ids.add(ada.jar.get('__Host-sid'))
    }
    expect(ids.size).toBeGreaterThan(1)
    const after = await site.fields()
    expect([after['@dk'], after['@db']?.slice(0, -1)]).toEqual([key, binding?.slice(0, -1)])
    expect((await ada.refresh()).status).toBe(200)
  })
})

test('a save at the same time as a registration loses neither', async () => {
  await ada.send('get', '/login?userId=ada')
  await Promise.all([ada.register(), ...['a', 'b', 'c'].map((cart) => ada.send('get', `/cart?cart=${cart}`))])
  const fields = await site.fields()
  expect([fields['@dk'], fields['@db'], fields.cart]).toEqual([
    expect.any(String),
    expect.any(String),
    expect.any(String),
  ])
})

test('with a key that nobody can read, the session is refused rather than served', async () => {
  await settled()
  await client.hset(await site.key(), '@db', 'broken')
  expect((await me(ada)).user).toBeNull()
})

test.each([
  ['ahead', 3_600_000],
  ['behind', -3_600_000],
])('with a clock that is an hour %s, a bound cookie counts as long as by the clock of Redis', async (_what, ms) => {
  await settled()
  const now = Date.now.bind(Date)
  jest.spyOn(Date, 'now').mockImplementation(() => now() + ms)
  try {
    expect((await me(ada)).user).toBe('ada')
    if (ms > 0) {
      await site.pass(ada, 611)
      expect((await me(ada)).user).toBeNull()
    }
  } finally {
    jest.restoreAllMocks()
  }
})

test.each([false, { max: 100, maxAge: 60 }])('any process can do any step, with the cache %j', async (cache) => {
  const given = { prefix: site.prefix, ...(cache && { cache }) }
  const others = [deviceSite(client, given), deviceSite(client, given)]
  const [here, there] = others as [DeviceSite, DeviceSite]
  const [one, two] = [new DeviceBrowser(here.server), new DeviceBrowser(there.server)]
  const move = (from: DeviceBrowser, to: DeviceBrowser) => {
    to.jar.clear()
    for (const [name, value] of from.jar) to.jar.set(name, value)
    to.bound = from.bound
    to.offered = from.offered
  }
  await one.send('get', '/login?userId=ada')
  move(one, two)
  await two.register(one.device.registration(one.offered as string))
  move(two, one)
  const challenge = challengeIn(await one.ask()) as string
  move(one, two)
  expect((await two.answer(one.device.proof(challenge))).status).toBe(200)
  move(two, one)
  for (const browser of [one, two]) expect((await me(browser)).device).toEqual({ bound: true, fresh: true })
  for (const other of others) await other.close()
})

test('a bound cookie alone, or with a session of somebody else, is worth nothing', async () => {
  await settled()
  const thief = ada.stolen(['__Host-device'])
  expect(await me(thief)).toEqual({ user: null, device: { bound: false, fresh: false } })
  const eve = new DeviceBrowser(site.server)
  await eve.logIn('/login?userId=eve')
  await eve.get('/me')
  eve.jar.set('__Host-device', ada.jar.get('__Host-device') as string)
  expect((await me(eve)).device).toEqual({ bound: true, fresh: false })
})

test('sockets need the bound cookie, too', async () => {
  await settled()
  const load = (browser: DeviceBrowser) => {
    const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const req = { headers: { cookie, 'user-agent': undefined }, socket: { remoteAddress: '127.0.0.1' } }
    return site.sessions.load(req as Bag)
  }
  expect(await load(ada.stolen())).toMatchObject({ userId: 'ada' })
  expect(await load(ada.stolen(['__Host-sid']))).toBeNull()
  expect(names().at(-1)).toBe('unbound')
})

describe('requireBoundDevice', () => {
  test('lets a bound device pass, and nobody else', async () => {
    await ada.send('get', '/login?userId=ada')
    const refused = await ada.send('get', '/pay')
    expect([refused.status, refused.text]).toEqual([403, 'ERR_SESSION_DEVICE_NOT_BOUND'])
    await ada.register()
    const underWay = ada.stolen(['__Host-sid'])
    expect((await ada.send('get', '/pay')).text).toBe('paid')
    expect((await underWay.send('get', '/pay')).status).toBe(403)
  })

  test('hands those whom it refuses to the application', async () => {
    const app = express()
    app.use(
      session({
        store: new RedisStore({ client, prefix: freshPrefix() }),
        secret: 's',
        resave: false,
        saveUninitialized: false,
      }) as Bag,
    )
    app.use(bindDevice() as Bag)
    app.get('/pay', requireBoundDevice({ onUnbound: (_req, res) => res.end('use Chrome') }) as Bag)
    const response = await new DeviceBrowser(app as Bag).send('get', '/pay')
    expect(response.text).toBe('use Chrome')
  })

  test.each([
    [{ onunbound: 1 }, 'no option "onunbound"'],
    [{ onUnbound: '/login' }, '"onUnbound" option'],
  ])('a mistake is named: %j', (options, text) => {
    expect(() => requireBoundDevice(options as never)).toThrow(text)
  })

  test('without bindDevice it says what is missing', () => {
    const req = { session: Object.create({}), sessionStore: {} }
    expect(() => requireBoundDevice()(req as Bag, {} as Bag, () => {})).toThrow('needs bindDevice() before it')
  })
})

describe('without secureSession', () => {
  const prefix = freshPrefix()
  const store = new RedisStore({ client, prefix, indexes: { user: (held: Bag) => held.userId } })

  function plain(device: Parameters<typeof bindDevice>[0], ...more: express.RequestHandler[]): DeviceBrowser {
    const app = express()
    app.set('trust proxy', 1)
    const cookie = { secure: true }
    app.use(session({ store, name: '__Host-sid', secret: 's', resave: false, saveUninitialized: false, cookie }) as Bag)
    app.use(bindDevice(device) as Bag, ...more)
    app.get('/login', (req, res) => {
      ;(req.session as Bag).userId = req.query.userId
      if (req.query.offer !== undefined) res.setHeader('X-Offered', String(bindDevice.offer(req, res)))
      res.send('in')
    })
    app.get('/me', (req, res) => void res.json({ user: (req.session as Bag).userId ?? null }))
    return new DeviceBrowser(app as Bag)
  }

  afterEach(() => store.clear())

  test('rotateOnLogin brings the offer', async () => {
    const bob = plain({}, rotateOnLogin() as Bag)
    await bob.logIn('/login?userId=bob')
    expect((await me(bob)).user).toBe('bob')
  })

  test('bindDevice.offer() does, for a login that nothing else sees, and once', async () => {
    const bob = plain({})
    await bob.send('get', '/login?userId=bob')
    expect(bob.offered).toBeUndefined()
    const offered = await bob.send('get', '/login?userId=bob&offer')
    expect(offered.headers['x-offered']).toBe('true')
    expect((await bob.register()).status).toBe(200)
    const again = await bob.send('get', '/login?userId=bob&offer')
    expect(again.headers).toMatchObject({ 'x-offered': 'false' })
    expect(again.headers).not.toHaveProperty('secure-session-registration')
  })

  test('another path and another cookie are what the browser is told', async () => {
    const bob = plain({ path: '/device', cookie: { name: '__Host-key', sameSite: 'strict' } }, rotateOnLogin() as Bag)
    await bob.send('get', '/login?userId=bob')
    const proof = bob.device.registration(bob.offered as string)
    const { body } = await bob.send('post', '/device?x', { 'Secure-Session-Response': proof })
    expect(body).toMatchObject({
      refresh_url: '/device',
      credentials: [{ name: '__Host-key', attributes: 'Path=/; Secure; HttpOnly; SameSite=Strict' }],
    })
  })

  test('an onUnbound that fails, now or later, is an error of the request', async () => {
    for (const onUnbound of [
      () => Promise.reject(new Error('later')),
      () => {
        throw new Error('now')
      },
    ]) {
      const bob = plain({ grace: 0, onUnbound }, rotateOnLogin() as Bag)
      await bob.logIn('/login?userId=bob')
      await me(bob)
      expect((await bob.stolen(['__Host-sid']).send('get', '/me')).status).toBe(500)
    }
  })

  test('onUnbound answers in place of the application', async () => {
    const bob = plain(
      { grace: 0, onUnbound: (_req, res) => void (res as Bag).status(401).end('come again') },
      rotateOnLogin() as Bag,
    )
    await bob.logIn('/login?userId=bob')
    expect((await me(bob)).user).toBe('bob')
    const response = await bob.stolen(['__Host-sid']).send('get', '/me')
    expect([response.status, response.text]).toEqual([401, 'come again'])
  })
})

test.each([
  [{ device: 1 }, '"device" option must be true'],
  [{ device: null }, '"device" option must be true'],
  [{ device: { every: -1 } }, '"every" option'],
])('secureSession names a mistake: %j', (options, text) => {
  expect(() => deviceSite(client, options)).toThrow(text)
})

test('secureSession gives the bound cookie the SameSite of its own', async () => {
  const strict = deviceSite(client, { cookie: { sameSite: 'strict' } })
  const bob = new DeviceBrowser(strict.server)
  await bob.send('get', '/login?userId=bob')
  expect(setCookiesOf(await bob.register())[0]).toContain('SameSite=Strict')
  await strict.close()
})
