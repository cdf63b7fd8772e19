import { randomBytes } from 'node:crypto'
import {
  bindClient,
  type EndedSession,
  RedisStore,
  type RedisStoreOptions,
  renewSession,
  rotateOnLogin,
} from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { hasten } from '../support/hasten.js'
import { passTime } from '../support/pass-time.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const stores: RedisStore[] = []

/** Keeps what onEnd was told, in order; `next` waits for more. */
class Archive {
  readonly told: { session: Bag; info: EndedSession['info']; reason: string }[] = []
  #onTold = () => {}

  readonly onEnd = async ({ session: held, info }: EndedSession, reason: string): Promise<void> => {
    this.told.push({ session: held, info, reason })
    this.#onTold()
  }

  async atLeast(count: number): Promise<typeof this.told> {
    while (this.told.length < count) await new Promise<void>((resolve) => (this.#onTold = resolve))
    return this.told
  }
}

function storeWith(options: Partial<RedisStoreOptions> = {}): RedisStore {
  const indexes = { user: (held: Bag) => held.userId }
  const store = new RedisStore({ client, prefix, indexes, ...options })
  stores.push(store)
  return store
}

/** A store, and what its onEnd was told. */
function archiving(options: Partial<RedisStoreOptions> = {}) {
  const archive = new Archive()
  return { archive, store: storeWith({ onEnd: archive.onEnd, ...options }) }
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  const left = await client.keys(`*${prefix}*`)
  if (left.length > 0) await client.del(left)
  jest.restoreAllMocks()
})
afterAll(() => client.quit())

const make = (store: RedisStore, sid: string, held: object = {}) =>
  store.set(sid, { cookie, userId: 'ada', ...held } as never)

describe('is told the last content and why of a session that', () => {
  test.each<[string, string, Partial<RedisStoreOptions>, (store: RedisStore) => Promise<unknown>]>([
    ['is destroyed', 'destroyed', {}, (store) => store.destroy('a')],
    ['is cleared away', 'destroyed', {}, (store) => store.clear()],
    ['is revoked', 'revoked', {}, (store) => store.destroyBy('user', 'ada')],
    [
      'is revoked, though the index had lost it',
      'revoked',
      {},
      async (store) => {
        await client.del(`idx:${prefix}user:ada`)
        await store.destroyBy('user', 'ada', { thorough: true })
      },
    ],
    [
      'makes room for another login',
      'evicted',
      { limit: { index: 'user', max: 1, onExceed: 'evict' } },
      (store) => make(store, 'b'),
    ],
    ['is no longer valid', 'invalid', { validate: () => false }, (store) => store.get('a')],
    ['is saved with an expiry in the past', 'expired', {}, (store) => make(store, 'a', { cookie: { maxAge: -1 } })],
    ['expires', 'expired', { ttl: 1 }, async () => {}],
    ['reaches its absolute timeout', 'expired', { absoluteTimeout: 1 }, async () => {}],
  ])('%s: %s', async (_what, reason, options, end) => {
    const { archive, store } = archiving(options)
    const before = Date.now()
    await make(store, 'a', { cart: ['tea'], visits: 1 })
    await store.patch('a', { visits: 2 })
    await end(store)
    const [first] = await archive.atLeast(1)
    expect(first).toMatchObject({ reason, session: { userId: 'ada', cart: ['tea'], visits: 2, cookie } })
    expect(first?.info.indexes).toEqual({ user: ['ada'] })
    for (const at of [first?.info.createdAt, first?.info.expiresAt]) {
      expect(Number(at)).toBeGreaterThanOrEqual(before - 1000)
      expect(Number(at)).toBeLessThanOrEqual(Date.now() + 1000)
    }
    await store.close()
    expect(archive.told).toHaveLength(1)
    if (reason !== 'evicted') expect(await client.keys(`*${prefix}*`)).toEqual([])
  })

  test('belonged to somebody else: mismatch', async () => {
    const { archive, store } = archiving()
    const { visitor, headers } = site(store, bindClient({ secret: 'b', ip: false, onMismatch: 'destroy' }))
    await visitor.get('/login/ada')
    headers['user-agent'] = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0'
    await visitor.get('/')
    expect(await archive.atLeast(1)).toMatchObject([{ reason: 'mismatch', session: { userId: 'ada' } }])
    expect(store.counters.mismatch).toBe(1)
  })

  test('was used with an id replaced long before: reuse', async () => {
    const { archive, store } = archiving()
    const { app, visitor } = site(store, renewSession({ every: 60, grace: 1 }))
    await visitor.get('/login/ada')
    const thief = new Visitor(app, visitor.cookie)
    for (const _turn of [1, 2]) {
      await passTime(client, prefix + visitor.sid.split('~')[0], 60_000)
      await visitor.get('/')
      await visitor.get('/')
    }
    await thief.get('/')
    expect(await archive.atLeast(1)).toMatchObject([{ reason: 'reuse', session: { userId: 'ada' } }])
  })

  test('the application regenerates: destroyed', async () => {
    const { archive, store } = archiving()
    const { visitor } = site(store)
    await visitor.get('/login/ada')
    await visitor.get('/regenerate')
    expect(await archive.atLeast(1)).toMatchObject([{ reason: 'destroyed', session: { userId: 'ada' } }])
  })

  test('connect-redis wrote', async () => {
    const { archive, store } = archiving()
    await client.set(`${prefix}a`, JSON.stringify({ cookie, userId: 'ada' }), 'EX', 60)
    await store.destroy('a')
    expect(await archive.atLeast(1)).toMatchObject([
      { reason: 'destroyed', session: { userId: 'ada' }, info: { indexes: { user: ['ada'] } } },
    ])
  })

  test('is encrypted, and under a hashed id: as the application knows it', async () => {
    const { archive, store } = archiving({ hashIds: 'h', encryption: { keys: [randomBytes(32)] } })
    await make(store, 'a', { card: 'hush' })
    const { handle } = (await store.info('a')) as { handle: string }
    await store.destroy('a')
    expect(await archive.atLeast(1)).toMatchObject([{ session: { card: 'hush' }, info: { handle } }])
  })
})

function site(store: RedisStore, ...middleware: express.RequestHandler[]) {
  const headers: Record<string, string> = {}
  const app = express()
  app.use((req, _res, next) => {
    Object.assign(req.headers, headers)
    next()
  })
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }), ...middleware)
  app.get('/login/:user', (req, res) => {
    Object.assign(req.session, { userId: req.params.user })
    res.end()
  })
  app.get('/regenerate', (req, res, next) => {
    req.session.regenerate((err) => (err ? next(err) : res.end()))
  })
  app.use((req, res) => {
    res.json(req.session)
  })
  return { app, headers, visitor: new Visitor(app) }
}

test('a rotation is no end: the session goes on, and is told once when it ends', async () => {
  const { archive, store } = archiving()
  const { visitor } = site(store, rotateOnLogin())
  await visitor.get('/login/ada')
  await visitor.get('/login/bob')
  await store.destroy(visitor.sid)
  await store.close()
  expect(archive.told).toMatchObject([{ session: { userId: 'bob' } }])
})

describe('a session that has expired, and is not told of yet', () => {
  test('is absent for everybody, whatever asks for it, and nothing brings it back', async () => {
    // No process looks for ended sessions while the store is closed.
    const { store } = archiving({ ttl: 60 })
    await store.close()
    await make(store, 'a')
    const loaded = await store.get('a')
    await passTime(client, `${prefix}a`, 60_000)
    const without = storeWith()
    for (const one of [store, without]) {
      expect(await one.get('a')).toBeNull()
      expect(await one.info('a')).toBeNull()
      expect(await one.read('a', ['userId'])).toBeNull()
      expect(await one.patch('a', { x: 1 })).toBe(false)
      expect(await one.increment('a', 'n')).toBeNull()
      expect(await one.findBy('user', 'ada')).toEqual([])
      expect(await one.all()).toEqual([])
    }
    expect(await store.ids()).toEqual([])
    expect(await store.length()).toBe(0)
    expect((await store.stats()).sessions).toBe(0)
    expect(await store.destroyBy('user', 'ada')).toBe(0)
    await store.touch('a', loaded as never)
    await store.set('a', Object.assign(loaded as never, { x: 1 }))
    expect(store.counters.refused).toBe(3)
    expect(await store.get('a')).toBeNull()
  })

  test('is told of by the next process that runs, also if none did when it ended', async () => {
    const down = archiving({ ttl: 0.05 })
    await make(down.store, 'a', { cart: ['tea'] })
    await down.store.close()
    while ((await down.store.get('a')) !== null) await new Promise((resolve) => setImmediate(resolve))
    const { archive, store } = archiving({ ttl: 0.05 })
    expect(await archive.atLeast(1)).toMatchObject([{ reason: 'expired', session: { cart: ['tea'] } }])
    await store.close()
    expect(down.archive.told).toEqual([])
    expect(await client.keys(`*${prefix}*`)).toEqual([])
  })

  test('stays for a day, and no longer', async () => {
    const { store } = archiving({ ttl: 60 })
    await make(store, 'a')
    const ttl = await client.pttl(`${prefix}a`)
    expect(ttl).toBeGreaterThan(86_400_000)
    expect(ttl).toBeLessThanOrEqual(86_460_000)
  })

  test('makes place for a new one under its id, once it is told of', async () => {
    const { archive, store } = archiving()
    await make(store, 'a', { cart: ['old'] })
    await store.destroy('a')
    await make(store, 'a', { cart: ['new'] })
    expect(archive.told).toMatchObject([{ session: { cart: ['old'] } }])
    expect(await store.get('a')).toMatchObject({ cart: ['new'] })
    await hasten(client, prefix)
    const other = archiving()
    await store.destroy('a')
    expect((await archive.atLeast(2))[1]).toMatchObject({ session: { cart: ['new'] } })
    expect(other.archive.told).toEqual([])
  })
})

describe('onEnd that fails', () => {
  test('is called again, by whichever process, until it succeeds; a warning says so, and nothing of the session', async () => {
    const warnings: unknown[] = []
    const failing = storeWith({
      onEnd: async ({ session: held }) => {
        throw new Error(`cannot store ${JSON.stringify(held)}`)
      },
    })
    failing.on('warning', (warning) => warnings.push(warning))
    await make(failing, 'a', { card: 'hush' })
    await failing.destroy('a')
    await failing.close()
    expect(warnings).toEqual([
      { code: 'on-end-failed', message: 'onEnd failed for a session that has ended; it is called again in a minute' },
    ])
    expect(await failing.get('a')).toBeNull()
    const { archive, store } = archiving()
    await hasten(client, prefix)
    expect(await archive.atLeast(1)).toMatchObject([{ reason: 'destroyed', session: { card: 'hush' } }])
    await store.close()
    expect(await client.keys(`*${prefix}*`)).toEqual([])
  })

  test('does not hold up a logout, nor other sessions', async () => {
    let goOn = () => {}
    const promise = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const told: Bag[] = []
    const store = storeWith({
      onEnd: async ({ session: held }: { session: Bag }) => {
        if (held.slow) await promise
        told.push(held.name)
      },
    })
    await make(store, 'a', { slow: true, name: 'a' })
    await make(store, 'b', { name: 'b' })
    await store.destroy('a')
    await store.destroy('b')
    while (!told.includes('b')) await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual(['b'])
    goOn()
    await store.close()
    expect(told).toEqual(['b', 'a'])
  })
})

test('while one process is at it, no other is told, though it is looking', async () => {
  let goOn = () => {}
  const isToGoOn = new Promise<void>((resolve) => {
    goOn = resolve
  })
  let calls = 0
  const slow = storeWith({
    onEnd: () => {
      calls += 1
      return isToGoOn
    },
  })
  await make(slow, 'a')
  await slow.destroy('a')
  while (calls === 0) await new Promise((resolve) => setImmediate(resolve))
  const { archive } = archiving()
  const queue = (await client.keys(`idx:${prefix}@ends:*`))[0] as string
  await client.zadd(queue, 'XX', '0', 'a')
  // The other store has looked: it has noted when the claim is over.
  while (Number(await client.zscore(queue, 'a')) < Date.now()) await new Promise((resolve) => setImmediate(resolve))
  goOn()
  await slow.close()
  expect([calls, archive.told.length]).toEqual([1, 0])
})

test('no session is told of twice while all goes well: two processes, a hundred sessions, all ways to end', async () => {
  const one = archiving({ ttl: 1 })
  const other = archiving({ ttl: 1 })
  const names = Array.from({ length: 100 }, (_, i) => `s${i}`)
  await Promise.all(names.map((name, i) => make(i % 2 ? one.store : other.store, name, { name, userId: `u${i % 5}` })))
  await Promise.all(names.slice(0, 30).map((name, i) => (i % 3 ? one.store : other.store).destroy(name)))
  await one.store.destroyBy('user', 'u3')
  while (one.archive.told.length + other.archive.told.length < 100) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all([one.store.close(), other.store.close()])
  const told = [...one.archive.told, ...other.archive.told].map(({ session: held }) => held.name as string)
  expect(told.toSorted()).toEqual(names.toSorted())
  expect(await client.keys(`${prefix}*`)).toEqual([])
})

test('a server whose clock is wrong reads sessions that are there, and none that is not', async () => {
  const { store } = archiving({ ttl: 60 })
  const now = Date.now.bind(Date)
  await make(store, 'a')
  for (const offMs of [-600_000, 600_000]) {
    jest.spyOn(Date, 'now').mockImplementation(() => now() + offMs)
    expect(await store.get('a')).toMatchObject({ userId: 'ada' })
  }
  jest.restoreAllMocks()
  await store.close()
  await passTime(client, `${prefix}a`, 60_000)
  jest.spyOn(Date, 'now').mockImplementation(() => now() - 600_000)
  expect(await store.get('a')).toBeNull()
})

describe('where Redis has no memory left', () => {
  let redis: PrivateRedis
  beforeAll(async () => {
    redis = await privateRedis()
  })
  afterAll(() => redis.stop())

  test('a logout works all the same, and is told of', async () => {
    const { archive, store } = archiving({ client: redis.connect() })
    await make(store, 'a', { cart: ['tea'] })
    await redis.admin.config('SET', 'maxmemory', 1)
    await store.destroy('a')
    expect(await store.get('a')).toBeNull()
    expect(await archive.atLeast(1)).toMatchObject([{ reason: 'destroyed', session: { cart: ['tea'] } }])
    await store.close()
    expect(await redis.admin.exists(`${prefix}a`)).toBe(0)
    await redis.admin.config('SET', 'maxmemory', 0)
  })
})

test('with disableTTL nothing expires, and what is destroyed is told of', async () => {
  const { archive, store } = archiving({ disableTTL: true })
  await make(store, 'a')
  expect(await client.pttl(`${prefix}a`)).toBe(-1)
  await store.destroy('a')
  expect(await archive.atLeast(1)).toMatchObject([{ reason: 'destroyed' }])
})

test('a session that nobody can read is left as it is, and told of by "corrupt"', async () => {
  const { archive, store } = archiving()
  await make(store, 'a')
  await client.hset(`${prefix}a`, 'cart', '{"half')
  await store.destroy('a')
  await store.close()
  expect(archive.told).toEqual([])
  expect(store.counters.corrupt).toBe(1)
  expect(await client.exists(`${prefix}a`)).toBe(1)
})

test('a session from before there was an onEnd is told of from its next request on', async () => {
  await make(storeWith(), 'a')
  const { archive, store } = archiving()
  await store.touch('a', (await store.get('a')) as never)
  expect(await client.pttl(`${prefix}a`)).toBeGreaterThan(100_000_000)
  await store.close()
  await passTime(client, `${prefix}a`, 86_400_000)
  await hasten(client, prefix, 86_400_000)
  const next = archiving()
  expect(await next.archive.atLeast(1)).toMatchObject([{ reason: 'expired' }])
  expect(archive.told).toEqual([])
})

test('onEnd that is no function is a TypeError', () => {
  expect(() => storeWith({ onEnd: 'archive' as never })).toThrow('"onEnd" option must be a function')
})
