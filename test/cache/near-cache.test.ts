import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadSession, RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import { HEARTBEAT_MS, LEASE_MS } from '../../src/cache/tracked-node.js'
import { latestSid, newSecret } from '../../src/hash/renewal-field.js'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { watchCommands } from '../support/commands.js'
import { figure } from '../support/figures.js'
import { CACHE, cachingStore, isCaching } from '../support/near-cache.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { writeHash } from '../support/raw-session.js'
import { ANY_CHANNEL, isRedisSince } from '../support/server.js'
import { until } from '../support/until.js'
import { Visitor } from '../support/visitor.js'

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any

// On a busy machine the proof of life may come late, and a request then goes to Redis, as it should.
jest.retryTimes(2)

const SID = 'the-session'
const PREFIX = 'near:'
const KEY = PREFIX + SID
const cookie = { originalMaxAge: 600_000 }

let redis: PrivateRedis
/** Carries the tracking connections; everything else that a store sends goes over another line. */
let line: BadLine
/** Another process, as far as Redis can tell. */
let other: RedisStore
const stores: RedisStore[] = []

beforeAll(async () => {
  redis = await privateRedis()
  line = await badLineTo(redis.socketPath)
  other = new RedisStore({ client: redis.admin, prefix: PREFIX })
})
beforeEach(async () => {
  line.release()
  await redis.admin.flushall()
})
afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())))
afterAll(async () => {
  await line.close()
  await redis.stop()
})

function clientOf(path = line.path) {
  const client = redis.connect()
  client.duplicate = ((options: object) => redis.connect({ path, ...options })) as never
  return client
}

async function caching(options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const store = await cachingStore({ client: clientOf(), prefix: PREFIX, ...options })
  stores.push(store)
  return store
}

const write = (held: object, by = other, sid = SID) => by.set(sid, { cookie, ...held } as never)
const read = async (store: RedisStore, sid = SID) => (await store.get(sid)) as Bag

/** Reads until the session comes out of the cache. */
async function warm(store: RedisStore, sid = SID): Promise<Bag> {
  for (;;) {
    const before = store.cacheStats?.hits
    const session = await read(store, sid)
    if (store.cacheStats?.hits !== before || session === null) return session
  }
}

/** What has been told to a store by now. */
const heard = (store: RedisStore, what: string, condition: () => Promise<boolean>) =>
  until(what, condition, { timeoutMs: 2 * LEASE_MS, everyMs: 1 }).then(() => store)

async function costs(store: RedisStore, work: () => Promise<unknown>, key = KEY): Promise<string[]> {
  const log = await watchCommands(redis.admin, key)
  await work()
  const commands = await log.take()
  log.stop()
  expect(store.cacheStats).toBeDefined()
  return commands.map(([name = '']) => name.toUpperCase())
}

describe('what a request costs', () => {
  test('one that only reads asks Redis nothing, one that changes something sends one command', async () => {
    const store = await caching()
    const app = express()
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    app.get('/put/:value', (req, res) => {
      Object.assign(req.session, { value: req.params.value })
      res.end()
    })
    app.get('/', (req, res) => {
      res.json((req.session as Bag).value ?? null)
    })
    const visitor = new Visitor(app)
    for (const path of ['/put/0', '/put/1']) await visitor.get(path)
    const key = PREFIX + visitor.sid
    await warm(store, visitor.sid)
    expect(
      await costs(
        store,
        async () => {
          for (let i = 0; i < 5; i++) expect((await visitor.get('/')).body).toBe('1')
        },
        key,
      ),
    ).toEqual([])
    expect(await costs(store, () => visitor.get('/put/2'), key)).toEqual(['EVALSHA'])
    expect((await visitor.get('/')).body).toBe('2')
  })

  test('loading one that is not cached is one round trip of two commands, and a touch is due when it is without', async () => {
    const store = await caching({ touchInterval: 0.2 })
    await write({ n: 1 })
    expect(await costs(store, () => read(store))).toEqual(['HGETALL', 'PTTL'])
    const held = await warm(store)
    expect(await costs(store, () => store.touch(SID, held))).toEqual([])
    await sleep(210)
    expect(await costs(store, async () => store.touch(SID, await read(store)))).toEqual(['EVALSHA'])
  })

  test('a session that every request changes is read as without a cache, until it is only read again', async () => {
    const store = await caching()
    const visit = async () => {
      const held = await read(store)
      await store.set(SID, { ...held, n: held.n + 1 })
    }
    await write({ n: 1 })
    // A report comes a moment after the change. A visit that comes before it is not cached, and the read below would then be
    // one of two without a change between them, at every attempt: so each attempt waits longer for the reports.
    let pauseMs = 1
    await heard(store, 'the reads of a session that has changed', async () => {
      pauseMs *= 2
      for (let i = 0; i < 3; i++) {
        await visit()
        await sleep(pauseMs)
      }
      return (await costs(store, () => read(store))).join() === 'HGETALL'
    })
    await heard(store, 'the session is cached again', async () => (await costs(store, () => read(store))).length === 0)
    expect(await read(store)).toEqual(await read(other))
  })

  test('loadSession, validate and onEnd are served from it, too', async () => {
    const asked: number[] = []
    const store = await caching({
      onEnd: () => {},
      validate: (held, info) => asked.push(held.n as number, info.createdAt.getTime()) > 0,
    })
    await write({ n: 1 }, store)
    await warm(store)
    const headers = { cookie: `connect.sid=${encodeURIComponent(`s:${sign(SID, 'secret')}`)}` }
    asked.length = 0
    expect(
      await costs(store, async () => {
        expect(await loadSession({ headers } as never, { store, secret: 'secret' })).toMatchObject({ n: 1 })
        expect(await read(store)).toMatchObject({ n: 1 })
      }),
    ).toEqual([])
    expect(asked).toHaveLength(4)
  })
})

describe('what a request gets', () => {
  test('an object of its own, as Redis would have given it', async () => {
    const store = await caching()
    await write({ list: [1, { deep: true }], user: 'ada' })
    const plain = await read(other)
    const one = await warm(store)
    expect(one).toEqual(plain)
    one.list[1].deep = false
    one.cookie.originalMaxAge = 1
    one.user = 'eve'
    expect(await read(store)).toEqual(plain)
    expect(store.cacheStats?.hits).toBeGreaterThan(2)
  })

  test('nothing that is not a hash of ours is kept: strings, what cannot be read, what is not there', async () => {
    const store = await caching()
    const { entries } = store.cacheStats as { entries: number }
    await redis.admin.set(KEY, JSON.stringify({ cookie, n: 1 }), 'EX', 60)
    for (let i = 0; i < 2; i++) expect(await read(store)).toMatchObject({ n: 1 })
    await writeHash(redis.admin, KEY, [['@', 'nonsense']])
    for (let i = 0; i < 2; i++) expect(await read(store)).toBeNull()
    await redis.admin.del(KEY)
    for (let i = 0; i < 2; i++) expect(await read(store)).toBeNull()
    expect(store.cacheStats?.entries).toBe(entries)
  })

  test('with encryption, what was decrypted once', async () => {
    const encryption = { keys: [randomBytes(32)] as [Buffer] }
    const store = await caching({ encryption })
    await write({ secret: 'tea' }, store)
    expect(await warm(store)).toMatchObject({ secret: 'tea' })
    expect(await redis.admin.hget(KEY, 'secret')).toMatch(/^"?~/)
  })

  test('with a list of hashIds, a session under an older id is not kept, and one that has moved is', async () => {
    const old = await caching({ hashIds: 'old' })
    await write({ n: 1 }, old)
    const store = await caching({ hashIds: ['new', 'old'] })
    const { hits, entries } = store.cacheStats as { hits: number; entries: number }
    for (let i = 0; i < 3; i++) expect(await read(store)).toMatchObject({ n: 1 })
    expect(store.cacheStats).toMatchObject({ hits, entries })
    const held = await read(store)
    await store.set(SID, Object.assign(held, { n: 2 }))
    expect(await warm(store)).toMatchObject({ n: 2 })
    await old.destroy(SID)
    await store.destroy(SID)
    expect(await read(store)).toBeNull()
  })

  test('an index function that throws fails the get, by promise and by callback, once each', async () => {
    let isBroken = false
    const user = (session: Bag) => {
      if (isBroken) throw new Error('of the application')
      return session.n as number
    }
    const store = await caching({ indexes: { user: user as never }, activity: true })
    await write({ n: 1 })
    await warm(store)
    isBroken = true
    const answers: unknown[] = []
    const failure = (err: Error) => err.message
    const promise = store.get(SID, (err) => answers.push(failure(err as Error))).then(String, failure)
    expect(await promise).toBe('of the application')
    await sleep(0)
    expect(answers).toEqual(['of the application'])
  })

  test('no more than max are kept', async () => {
    const store = await caching({ cache: { max: 3, maxAge: 60 } })
    for (let i = 0; i < 8; i++) await write({ i }, store, `s${i}`)
    for (let i = 0; i < 8; i++) expect(await warm(store, `s${i}`)).toMatchObject({ i })
    expect(store.cacheStats?.entries).toBe(3)
  })
})

describe('what others write', () => {
  test.each([
    ['a save', async () => other.set(SID, Object.assign(await read(other), { n: 2 }) as never)],
    ['a patch', () => other.patch(SID, { n: 2 })],
    ['a command of somebody else', () => redis.admin.hset(KEY, 'n', '2')],
  ])('%s is seen as soon as it has been told of', async (_what, change) => {
    const store = await caching()
    await write({ n: 1 })
    expect(await warm(store)).toMatchObject({ n: 1 })
    await change()
    await heard(store, 'the change is seen', async () => (await read(store)).n === 2)
    expect(await warm(store)).toMatchObject({ n: 2 })
  })

  test.each([
    ['destroy', () => other.destroy(SID)],
    ['clear', () => other.clear()],
    ['DEL', () => redis.admin.del(KEY)],
    ['UNLINK', () => redis.admin.unlink(KEY)],
    ['FLUSHALL', () => redis.admin.flushall()],
    ['FLUSHDB ASYNC', () => redis.admin.flushdb('ASYNC')],
    ['a TTL that is cut short', () => redis.admin.pexpire(KEY, 1)],
    ['RENAME', () => redis.admin.rename(KEY, 'elsewhere')],
  ])('%s ends it here, too', async (_what, end) => {
    const store = await caching()
    await write({ n: 1 })
    await warm(store)
    const start = performance.now()
    await end()
    await heard(store, 'the end is seen', async () => (await read(store)) === null)
    expect(performance.now() - start).toBeLessThan(LEASE_MS)
  })

  test('destroyBy ends it at once in the process that ran it', async () => {
    const store = await caching({ indexes: { user: (held) => held.user as string } })
    await write({ user: 'ada' }, store)
    await warm(store)
    expect(await store.destroyBy('user', 'ada')).toBe(1)
    expect(await read(store)).toBeNull()
  })

  test('what this process writes is known to it at once, even if a read came between the attempts to write it', async () => {
    const store = await caching()
    await write({ n: 1 })
    await warm(store)
    await redis.admin.script('FLUSH')
    line.stall()
    const writing = store.patch(SID, { n: 2 })
    const [between] = await Promise.all([read(store), writing])
    expect(between).toMatchObject({ n: 1 })
    expect(await read(store)).toMatchObject({ n: 2 })
  })

  test('an answer that was under way while the key changed is for its own request only', async () => {
    const data = await badLineTo(redis.socketPath)
    const client = redis.connect({ path: data.path })
    client.duplicate = ((options: object) => redis.connect({ path: line.path, ...options })) as never
    const store = await caching({ client })
    await write({ n: 1 })
    data.stall()
    const { misses } = store.cacheStats as { misses: number }
    const pending = read(store)
    await until('Redis has answered', async () => (await redis.takeCalls()).hgetall !== undefined)
    await other.patch(SID, { n: 2 })
    // Told of behind the change: by then that, too, has been heard.
    await write({}, other, 'probe')
    await sleep(50)
    data.release()
    expect(await pending).toMatchObject({ n: 1 })
    expect(await read(store)).toMatchObject({ n: 2 })
    expect(store.cacheStats?.misses).toBe(misses + 2)
    await data.close()
  })
})

describe('how long it is believed', () => {
  /** From here on the store hears nothing, and cannot know it. */
  async function deaf(options: Partial<RedisStoreOptions> = {}, held: object = { n: 1 }): Promise<RedisStore> {
    const store = await caching(options)
    await write(held, store)
    await warm(store)
    line.stall()
    return store
  }

  test('a half-open connection: what was ended elsewhere is served for LEASE_MS at most, then Redis is asked', async () => {
    const waits: number[] = []
    for (let round = 0; round < 3; round++) {
      const store = await deaf()
      await other.destroy(SID)
      const ended = performance.now()
      let last = ended
      while (performance.now() < ended + LEASE_MS + 100) {
        const asked = performance.now()
        if ((await read(store)) !== null) last = asked
        await sleep(1)
      }
      waits.push(last - ended)
      expect(last - ended).toBeLessThan(LEASE_MS)
      await until('the cache has been emptied', () => store.cacheStats?.entries === 0)
      line.release()
      line.cut()
      await isCaching(store, { client: redis.admin })
    }
    figure('near cache, half-open: an ended session was served', { ms: Math.max(...waits) })
    expect(Math.max(...waits)).toBeGreaterThan(LEASE_MS - 3 * HEARTBEAT_MS)
  })

  test('an id that another process has just issued is a session, although the entry here does not know of it', async () => {
    const store = await deaf()
    const latest = { generation: 1, sinceMs: Date.now(), isConfirmed: false, secret: newSecret() }
    await redis.admin.hset(KEY, '@renew', `1 ${latest.sinceMs.toString(36)} u 1000 ${latest.secret}`)
    expect(await read(store, latestSid(SID, latest))).toMatchObject({ n: 1 })
    expect(await read(store, latestSid(SID, { ...latest, secret: newSecret() }))).toBeNull()
  })

  test('maxAge is a limit of its own', async () => {
    const store = await deaf({ cache: { max: 10, maxAge: 0.15 } })
    await other.patch(SID, { n: 2 })
    await sleep(151)
    expect(await read(store)).toMatchObject({ n: 2 })
  })

  test.each([
    ['its idle timeout', { ttl: 0.3 }],
    ['its absolute deadline', { absoluteTimeout: 0.3 }],
    ['its idle timeout, where onEnd keeps the key', { ttl: 0.3, onEnd: async () => {} }],
    ['its absolute deadline, where onEnd keeps the key', { absoluteTimeout: 0.3, onEnd: async () => {} }],
  ])('no session outlives %s in it', async (_what, options) => {
    const store = await deaf({ ...options, disableTouch: true })
    const start = performance.now()
    const before = store.cacheStats?.hits ?? 0
    await until('it is over', async () => (await read(store)) === null, { everyMs: 1, timeoutMs: LEASE_MS })
    expect(store.cacheStats?.hits).toBeGreaterThan(before)
    expect(performance.now() - start).toBeLessThan(400)
  })

  test('a lost connection empties it at once, and a new one begins anew', async () => {
    const store = await caching()
    await write({ n: 1 })
    await warm(store)
    line.cut()
    await until('the cache has been emptied', () => store.cacheStats?.entries === 0, { everyMs: 1, timeoutMs: 200 })
    await isCaching(store, { client: redis.admin })
    expect(await warm(store)).toMatchObject({ n: 1 })
  })

  test('a store whose own connection is lost has none either, until both have been compared', async () => {
    const client = clientOf()
    const store = await caching({ client })
    await write({ n: 1 })
    await warm(store)
    client.disconnect(true)
    await until('it reads again', () => read(store))
    await isCaching(store, { client })
  })

  test('a store that has reconnected to another server, as after a failover, forgets what the one before has told', async () => {
    const second = await privateRedis()
    const data = await badLineTo(redis.socketPath)
    try {
      const client = redis.connect({ path: data.path })
      client.duplicate = ((options: object) => redis.connect(options)) as never
      const store = await caching({ client })
      await write({ n: 1 })
      await warm(store)
      data.lead(second.socketPath)
      data.cut()
      await until('it is connected again', () => client.ping(), { everyMs: 1 })
      expect(await read(store)).toBeNull()
    } finally {
      await data.close()
      await second.stop()
    }
  })

  test('two connections that lead to two servers are none', async () => {
    const second = await privateRedis()
    try {
      const client = redis.connect()
      client.duplicate = ((options: object) => second.connect(options)) as never
      const store = new RedisStore({ client, prefix: PREFIX, cache: CACHE })
      stores.push(store)
      await write({ n: 1 })
      const [warning] = (await new Promise((resolve) => store.once('warning', (payload) => resolve([payload])))) as [
        Bag,
      ]
      expect(warning).toMatchObject({ code: 'cache-off', message: expect.stringContaining('several servers') })
      for (let i = 0; i < 3; i++) expect(await read(store)).toMatchObject({ n: 1 })
      expect(store.cacheStats).toMatchObject({ hits: 0, entries: 0 })
    } finally {
      await second.stop()
    }
  })
})

describe('a save after a load from the cache', () => {
  /** What the store holds is from before the change, and it cannot know that. */
  async function stale(change: () => Promise<unknown>): Promise<[RedisStore, Bag]> {
    const store = await caching()
    await write({ a: 1, b: 1, gone: 1 })
    await warm(store)
    line.stall()
    await change()
    const { hits } = store.cacheStats as { hits: number }
    const held = await read(store)
    expect(store.cacheStats?.hits).toBe(hits + 1)
    expect(held).toMatchObject({ a: 1, b: 1, gone: 1 })
    return [store, held]
  }
  const now = (fields: string[]) => other.read(SID, fields)

  test('writes what it has changed, and keeps what another process has', async () => {
    const [store, held] = await stale(() => other.patch(SID, { a: 2, c: 2, gone: undefined }))
    held.b = 3
    await store.set(SID, held)
    expect(await now(['a', 'b', 'c', 'gone'])).toEqual({ a: 2, b: 3, c: 2 })
    expect(await read(store)).toMatchObject({ a: 2, b: 3, c: 2 })
  })

  test('writes nothing where it has changed nothing, and a touch does not either', async () => {
    const [store, held] = await stale(() => other.patch(SID, { a: 2, gone: undefined }))
    await store.set(SID, held)
    await store.touch(SID, held)
    expect(await now(['a', 'b', 'gone'])).toEqual({ a: 2, b: 1 })
  })

  test('tells of a conflict where both have changed the same', async () => {
    const [store, held] = await stale(() => other.patch(SID, { a: 2 }))
    const conflict = new Promise((resolve) => store.once('conflict', resolve))
    held.a = 3
    await store.set(SID, held)
    expect(await conflict).toMatchObject({ properties: ['a'] })
    expect(await now(['a'])).toEqual({ a: 3 })
  })

  test.each([
    ['ended', () => other.destroy(SID)],
    ['ended and been made anew', () => other.destroy(SID).then(() => write({ user: 'bob' }))],
  ])('brings nothing back of a session that has %s', async (_what, end) => {
    const [store, held] = await stale(end)
    const refused = new Promise((resolve) => store.once('refused', resolve))
    const before = await redis.admin.hgetall(KEY)
    held.a = 3
    await store.set(SID, held)
    expect(await refused).toMatchObject({ operation: 'save' })
    expect(await redis.admin.hgetall(KEY)).toEqual(before)
    expect((await read(store))?.user).toBe(before.user === undefined ? undefined : 'bob')
  })
})

describe('a Redis that does not tell', () => {
  const refusals: [string, string[]][] = [
    ['that forbids CLIENT TRACKING', ['+@all', isRedisSince(7, 0) ? '-client|tracking' : '-client']],
    ['that forbids INFO', ['+@all', '-info']],
    ['that forbids the channel', ['+@all', 'resetchannels']],
  ]
  // Redis before 6.2 asks for no permission for channels.
  test.each(isRedisSince(6, 2) ? refusals : refusals.slice(0, 2))(
    '%s: one warning, and every session is read from Redis',
    async (_what, rules) => {
      await redis.admin.call('ACL', 'SETUSER', 'few', 'reset', 'on', '>pw', '~*', ...ANY_CHANNEL, ...rules)
      const client = redis.connect({ username: 'few', password: 'pw', enableReadyCheck: false })
      const store = new RedisStore({ client, prefix: PREFIX, cache: CACHE })
      stores.push(store)
      const warnings: Bag[] = []
      store.on('warning', (warning) => warnings.push(warning))
      await write({ n: 1 })
      await until('it has warned', () => warnings.length > 0)
      for (let i = 0; i < 3; i++) expect(await read(store)).toMatchObject({ n: 1 })
      expect(warnings).toEqual([{ code: 'cache-off', message: expect.stringMatching(/CLIENT TRACKING.*permission/) }])
      expect(store.cacheStats).toMatchObject({ hits: 0, entries: 0 })
    },
  )

  test('that does not know CLIENT', async () => {
    const old = await privateRedis(['--rename-command', 'CLIENT', ''])
    const store = new RedisStore({ client: old.connect(), prefix: PREFIX, cache: CACHE })
    try {
      const warned = new Promise((resolve) => store.once('warning', resolve))
      expect(await warned).toMatchObject({ code: 'cache-off', message: expect.stringContaining('does not know it') })
      await store.set(SID, { cookie, n: 1 } as never)
      for (let i = 0; i < 3; i++) expect(await read(store)).toMatchObject({ n: 1 })
    } finally {
      await store.close()
      await old.stop()
    }
  })
})

test('close ends the connection and the timers, and what is read then comes from Redis', async () => {
  const store = await caching()
  const tracking = async () => ((await redis.admin.client('LIST')) as string).match(/flags=\w*t\w* /g)?.length ?? 0
  await until('it has one connection, and those before are gone', async () => (await tracking()) === 1)
  await write({ n: 1 })
  await warm(store)
  await store.close()
  await until('the connection is gone', async () => (await tracking()) === 0)
  await sleep(3 * HEARTBEAT_MS)
  expect(await tracking()).toBe(0)
  const { hits } = store.cacheStats as { hits: number }
  await write({ n: 2 })
  expect(await read(store)).toMatchObject({ n: 2 })
  expect(store.cacheStats).toMatchObject({ hits, entries: 0 })
})

test('without the option there is no connection, no cacheStats, and nothing kept', async () => {
  const duplicate = jest.spyOn(redis.admin, 'duplicate')
  const store = new RedisStore({ client: redis.admin, prefix: PREFIX })
  await sleep(2 * HEARTBEAT_MS)
  expect(duplicate).not.toHaveBeenCalled()
  expect(store.cacheStats).toBeUndefined()
  duplicate.mockRestore()
})
