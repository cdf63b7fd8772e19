import { createServer, type Server } from 'node:http'
import { bindClient, RedisStore, renewSession, rotateOnLogin, saveBeforeResponse } from 'connect-redis-hash'
import express, { type NextFunction, type Request, type Response } from 'express'
import session, { type Store } from 'express-session'
import request from 'supertest'
import type { RedisStoreOptions } from '../../src/index.js'
import { connect, freshPrefix } from '../support/redis.js'
import { connectRedis } from './node-redis.js'

// A rolling deployment: servers with connect-redis and servers with this store serve the same visitors.

const SECRET = 'keyboard cat'
const client = connect()
let theirs: Awaited<ReturnType<typeof connectRedis>>
let prefix: string
const open: { close(): void }[] = []

beforeAll(async () => {
  theirs = await connectRedis()
})
afterAll(() => Promise.all([client.quit(), theirs.close()]))
beforeEach(() => {
  prefix = freshPrefix()
})
afterEach(async () => {
  for (const one of open.splice(0)) one.close()
})

interface Content {
  userId?: string
  cart?: string[]
  theme?: string
  visits?: number
}
type Live = session.Session & Content

const byUser = { indexes: { user: (s: Content) => s.userId } }
const ours = (options: object = {}) =>
  new RedisStore<Content, string>({ client, prefix, timeout: 30_000, ...byUser, ...options } as RedisStoreOptions<
    Content,
    string
  >)

function app(store: Store, middleware: unknown[] = [], cookie: session.CookieOptions = {}): Server {
  const made = express()
  made.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false, cookie }))
  for (const one of middleware) made.use(one as never)
  made.get('/set', (req, res) => {
    for (const [name, value] of Object.entries(req.query))
      (req.session as never as Record<string, unknown>)[name] = value
    res.end()
  })
  made.get('/login/:user', (req, res, next) => {
    req.session.regenerate((err) => {
      if (err) return next(err)
      ;(req.session as Live).userId = req.params.user
      res.end()
    })
  })
  made.get('/logout', (req, res, next) => req.session.destroy((err) => (err ? next(err) : res.end())))
  made.get('/remember', (req, res) => {
    req.session.cookie.maxAge = 7_200_000
    res.end()
  })
  made.get('/', (req, res) => {
    const { cookie: _, ...content } = req.session
    res.json(content)
  })
  made.use((err: Error, _req: Request, res: Response, _next: NextFunction) => res.status(500).end(String(err)))
  const server = createServer(made).listen(0).unref()
  closeLater(server)
  return server
}

function closeLater(server: Server): void {
  open.push({
    close() {
      server.closeAllConnections()
      server.close()
    },
  })
}

/** A browser that a load balancer sends to this server or that one. */
function browser() {
  let cookie = ''
  return async (server: Server, path: string) => {
    const sent = request(server).get(path)
    if (cookie !== '') sent.set('Cookie', cookie)
    const response = await sent
    const [set] = (response.headers['set-cookie'] as unknown as string[] | undefined) ?? []
    if (set !== undefined) cookie = set.split(';')[0] as string
    expect([path, response.status]).toEqual([path, 200])
    return path === '/' ? (response.body as Content) : response
  }
}

async function types(): Promise<string[]> {
  const all = await client.keys(`${prefix}*`)
  return Promise.all(all.map((key) => client.type(key)))
}

describe("convert: 'never'", () => {
  test.each<[string, unknown[], session.CookieOptions]>([
    ['a session cookie', [], {}],
    ['a maxAge', [], { maxAge: 3_600_000 }],
    [
      'the middleware of this library',
      [
        bindClient({ secret: 'a secret of 32 characters or more', onMismatch: 'observe' }),
        rotateOnLogin({ principal: (s: { userId?: string }) => s.userId } as never),
        renewSession({ every: 0 }),
        saveBeforeResponse(),
      ],
      {},
    ],
  ])('with %s: visitors may be sent to old and new servers in turn', async (_, middleware, cookie) => {
    const old = app(theirs.store({ prefix }), [], cookie)
    const fresh = app(ours({ convert: 'never' }), middleware, cookie)
    const go = browser()
    await go(fresh, '/set?theme=dark')
    expect(await go(old, '/')).toEqual({ theme: 'dark' })
    await go(old, '/set?theme=light')
    await go(fresh, '/login/ada')
    expect(await go(old, '/')).toMatchObject({ userId: 'ada' })
    await go(old, '/set?cart=milk')
    await go(fresh, '/set?visits=2')
    for (const server of [old, fresh, old]) {
      expect(await go(server, '/')).toMatchObject({ userId: 'ada', cart: 'milk', visits: '2' })
    }
    await go(fresh, '/remember')
    expect(await go(old, '/')).toMatchObject({ userId: 'ada' })
    expect(await types()).toEqual(['string'])
    expect(await client.pttl((await client.keys(`${prefix}*`))[0] as string)).toBeGreaterThan(7_100_000)
    await go(old, '/logout')
    expect(await go(fresh, '/')).toEqual({})
    expect(await types()).toEqual([])
  })

  test('with resave and rolling at the old server, and saveUninitialized at the new one', async () => {
    const old = express()
    old.use(
      session({
        store: theirs.store({ prefix }),
        secret: SECRET,
        resave: true,
        rolling: true,
        saveUninitialized: true,
      }),
    )
    old.get('/', (req, res) => void res.json({ theme: (req.session as Live).theme }))
    const server = createServer(old).listen(0).unref()
    closeLater(server)
    const fresh = app(ours({ convert: 'never' }))
    const go = browser()
    await go(fresh, '/set?theme=dark')
    for (const one of [server, fresh, server]) expect(await go(one, '/')).toEqual({ theme: 'dark' })
    expect(await types()).toEqual(['string'])
  })

  test('of requests at two new servers at once, none loses a change, and neither does patch or increment', async () => {
    const [one, two] = [ours({ convert: 'never' }), ours({ convert: 'never' })]
    await theirs.store({ prefix }).set('s', { cookie: { originalMaxAge: null }, userId: 'ada' } as never)
    const [a, b] = (await Promise.all([one.get('s'), two.get('s')])) as [Content, Content]
    a.theme = 'dark'
    b.cart = ['milk']
    await Promise.all([
      one.set('s', a as never),
      two.set('s', b as never),
      one.patch('s', { name: 'Ada' } as never),
      ...Array.from({ length: 10 }, (_, i) => [one, two][i % 2]?.increment('s', 'visits')),
    ])
    expect(await theirs.store({ prefix }).get('s')).toMatchObject({
      userId: 'ada',
      theme: 'dark',
      cart: ['milk'],
      name: 'Ada',
      visits: 10,
    })
    expect(await types()).toEqual(['string'])
  })

  test('of 20 requests at once that save different properties, none loses a change, and none fails', async () => {
    const stores = [ours({ convert: 'never' }), ours({ convert: 'never' })]
    await stores[0]?.set('s', { userId: 'ada' } as never)
    const loaded = await Promise.all(Array.from({ length: 20 }, (_, i) => stores[i % 2]?.get('s')))
    const mine = loaded.map((held, i) => Object.assign(held as object, { [`p${i}`]: i }))
    await Promise.all(mine.map((held, i) => stores[i % 2]?.set('s', held as never)))
    expect(await stores[0]?.get('s')).toMatchObject(Object.assign({ userId: 'ada' }, ...mine))
  })

  test('a request that saves twice does not undo what another one has saved before', async () => {
    const store = ours({ convert: 'never' })
    await store.set('s', { userId: 'ada' } as never)
    const [one, other] = (await Promise.all([store.get('s'), store.get('s')])) as [Content, Content]
    other.cart = ['milk']
    await store.set('s', other as never)
    for (const theme of ['dark', 'light']) await store.set('s', Object.assign(one, { theme }) as never)
    expect(await store.get('s')).toMatchObject({ userId: 'ada', cart: ['milk'], theme: 'light' })
  })

  test('two requests that change one property are a conflict, which is told once', async () => {
    const store = ours({ convert: 'never' })
    const told: unknown[] = []
    store.on('conflict', (event) => told.push(event))
    await store.set('s', { userId: 'ada', theme: 'grey' } as never)
    const [one, other] = (await Promise.all([store.get('s'), store.get('s')])) as [Content, Content]
    for (const [held, theme] of [
      [other, 'light'],
      [one, 'dark'],
    ] as const) {
      await store.set('s', Object.assign(held, { theme }) as never)
    }
    await store.set('s', Object.assign(one, { visits: 1 }) as never)
    expect(told).toEqual([{ handle: (await store.info('s'))?.handle, properties: ['theme'] }])
    expect(await store.get('s')).toMatchObject({ theme: 'dark', visits: 1 })
  })

  test('patch and increment do not prolong the session, and a save does', async () => {
    const store = ours({ convert: 'never', ttl: 3600 })
    await store.set('s', { userId: 'ada' } as never)
    await client.pexpire(`${prefix}s`, 50_000)
    await store.patch('s', { theme: 'dark' })
    await store.increment('s', 'visits')
    expect(await client.pttl(`${prefix}s`)).toBeLessThanOrEqual(50_000)
    await store.set('s', Object.assign((await store.get('s')) as object, { theme: 'light' }) as never)
    expect(await client.pttl(`${prefix}s`)).toBeGreaterThan(3_000_000)
  })

  test('a slow request does not bring a session back that an old server has ended', async () => {
    const store = ours({ convert: 'never' })
    const old = theirs.store({ prefix })
    await old.set('s', { cookie: { originalMaxAge: null }, userId: 'ada' } as never)
    const slow = (await store.get('s')) as Content
    await old.destroy('s')
    slow.theme = 'dark'
    await store.set('s', slow as never)
    expect([await store.patch('s', { theme: 'x' }), await store.increment('s', 'visits')]).toEqual([false, null])
    expect(await old.get('s')).toBeNull()
    expect(store.counters.refused).toBe(3)
  })

  test('what another server has made a hash of stays one, and no change is lost', async () => {
    const [strings, hashes] = [ours({ convert: 'never' }), ours()]
    await strings.set('s', { userId: 'ada' } as never)
    const slow = (await strings.get('s')) as Content
    await hashes.patch('s', { theme: 'dark' })
    slow.cart = ['milk']
    await strings.set('s', slow as never)
    await strings.patch('s', { name: 'Ada' } as never)
    await strings.increment('s', 'visits')
    expect(await hashes.get('s')).toMatchObject({
      userId: 'ada',
      theme: 'dark',
      cart: ['milk'],
      name: 'Ada',
      visits: 1,
    })
    expect(await types()).toEqual(['hash'])
  })

  test('indexes find the sessions that a new server has seen, and log out everywhere reaches them', async () => {
    const store = ours({ convert: 'never' })
    const old = theirs.store({ prefix })
    await store.set('new', { userId: 'ada' } as never)
    for (const sid of ['seen', 'unseen'])
      await old.set(sid, { cookie: { originalMaxAge: null }, userId: 'ada' } as never)
    await store.touch('seen', (await store.get('seen')) as never)
    expect((await store.findBy('user', 'ada')).map(({ indexes }) => indexes)).toEqual([
      { user: ['ada'] },
      { user: ['ada'] },
    ])
    expect(await store.destroyBy('user', 'ada')).toBe(2)
    expect(await store.destroyBy('user', 'ada', { thorough: true })).toBe(1)
    expect(await types()).toEqual([])
  })

  test('maxBytes holds', async () => {
    const store = ours({ convert: 'never', maxBytes: 100 })
    await store.set('s', { userId: 'ada' } as never)
    const large = { code: 'ERR_SESSION_TOO_LARGE' }
    await expect(store.patch('s', { theme: 'x'.repeat(200) })).rejects.toMatchObject(large)
    const held = (await store.get('s')) as Content
    held.theme = 'x'.repeat(200)
    await expect(store.set('s', held as never)).rejects.toMatchObject(large)
    await expect(store.set('t', { theme: 'x'.repeat(200) } as never)).rejects.toMatchObject(large)
  })

  test.each([
    { hashIds: true },
    { encryption: { keys: [Buffer.from(SECRET.repeat(3)).subarray(0, 32)] } },
    { absoluteTimeout: 60 },
  ])('is refused with %j, which connect-redis could not read or keep', (options) => {
    const given = 'encryption' in options ? { encryption: { keys: ['a'.repeat(43)] } } : options
    expect(() => ours({ convert: 'never', ...given })).toThrow(TypeError)
  })
})

describe("convert: 'on-save'", () => {
  const onView = [bindClient({ secret: 'a secret of 32 characters or more' }), saveBeforeResponse()]

  test('a page view makes no hash, whatever the middleware notes; a change does', async () => {
    const old = app(theirs.store({ prefix }))
    const fresh = app(ours({ convert: 'on-save' }), onView)
    const go = browser()
    await go(old, '/login/ada')
    for (const server of [fresh, old, fresh, old]) expect(await go(server, '/')).toEqual({ userId: 'ada' })
    expect(await types()).toEqual(['string'])
    expect(await ours().countBy('user', 'ada')).toBe(1)
    await go(fresh, '/set?theme=dark')
    expect(await types()).toEqual(['hash'])
  })

  test('by default, a view is enough where an index needs it', async () => {
    const go = browser()
    await go(app(theirs.store({ prefix })), '/login/ada')
    await go(app(ours()), '/')
    expect(await types()).toEqual(['hash'])
  })
})

describe('log out everywhere, while there are sessions of connect-redis', () => {
  const fill = async () => {
    for (const sid of ['a', 'b']) {
      await theirs.store({ prefix }).set(sid, { cookie: { originalMaxAge: null }, userId: 'ada' } as never)
    }
  }

  test('with thorough: true, destroyBy reaches them by default, and says when none is left', async () => {
    await fill()
    const store = ours({ thorough: true })
    const warnings: string[] = []
    store.on('warning', ({ code }) => warnings.push(code))
    expect(await store.destroyBy('user', 'ada')).toBe(2)
    expect(warnings).toEqual([])
    expect(await store.destroyBy('user', 'ada')).toBe(0)
    expect(warnings).toEqual(['sessions-all-indexed'])
    await fill()
    expect(await store.destroyBy('user', 'ada', { thorough: false })).toBe(0)
  })

  test('without it, each call says that it may have missed some, until they are gone', async () => {
    await fill()
    const store = ours()
    const warnings: string[] = []
    store.on('warning', ({ code }) => warnings.push(code))
    await store.destroyBy('user', 'ada')
    await store.get('a')
    await store.destroyBy('user', 'ada')
    await store.destroyBy('user', 'ada')
    expect(warnings).toEqual(['sessions-not-indexed', 'destroy-by-incomplete', 'destroy-by-incomplete'])
    await store.destroyBy('user', 'ada', { thorough: true })
    await store.destroyBy('user', 'ada', { thorough: true })
    await store.destroyBy('user', 'ada')
    expect(warnings.length).toBe(3)
  })
})
