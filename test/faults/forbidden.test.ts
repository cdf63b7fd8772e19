import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { expectNoSecrets, failureOf } from '../support/failure.js'
import { CACHE, isCaching } from '../support/near-cache.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { ANY_CHANNEL, isRedisSince } from '../support/server.js'
import { sessionApp } from '../support/session-app.js'
import { unlessStalled } from '../support/unless-stalled.js'

type Bag = Record<string, unknown>

const KEY = 'sess:hush-sid'
const SECRETS = ['hush-', '4711-password', 'sess:']

let redis: PrivateRedis
let client: Redis

const allow = (...rules: string[]) => redis.admin.call('ACL', 'SETUSER', 'app', ...rules)
const storeWith = (options: Partial<RedisStoreOptions> = {}) => new RedisStore({ client, ...options })

beforeAll(async () => {
  redis = await privateRedis()
  await allow('on', '>4711-password', '~*', ...ANY_CHANNEL, '+@all')
  client = redis.connect({ username: 'app', password: '4711-password' })
})
afterAll(() => redis.stop())
beforeEach(async () => {
  await redis.admin.flushall()
  await allow('+@all')
})

describe('a user who may not run PEXPIRE', () => {
  beforeEach(() => allow('-pexpire'))

  test('saves all the same, and a warning says that the key has no TTL', async () => {
    const store = storeWith({ ttl: 60 })
    const warnings: unknown[] = []
    store.on('warning', (event) => warnings.push(event))
    await store.set('hush-sid', { value: 1 })
    expect(await store.get('hush-sid')).toMatchObject({ value: 1 })
    expect(await redis.admin.pttl(KEY)).toBe(-1)
    expect(warnings).toEqual([{ code: 'expire-forbidden', message: expect.stringContaining('PEXPIRE') }])
    expectNoSecrets(warnings, SECRETS)
  })

  test('gets no session any more once it has been idle for too long, by any method', async () => {
    await unlessStalled(
      400,
      async () => {
        await redis.admin.flushall()
        const store = storeWith({ ttl: 0.6 })
        await store.set('hush-sid', { value: 1, count: 1 })
        const changed = (await store.get('hush-sid')) as unknown as Bag
        const read = (await store.get('hush-sid')) as unknown as Bag
        changed.value = 2
        await sleep(650)
        expect(await store.get('hush-sid')).toBeNull()
        expect(await store.read('hush-sid')).toBeNull()
        expect(await store.read('hush-sid', ['value'])).toBeNull()
        expect(await store.exists('hush-sid')).toBe(false)
        expect(await store.info('hush-sid')).toBeNull()
        expect(await store.all()).toEqual([])
        expect(await store.patch('hush-sid', { value: 3 })).toBe(false)
        expect(await store.increment('hush-sid', 'count')).toBeNull()
        // A slow request that is still at work when the session ends must not bring it back.
        await store.set('hush-sid', changed)
        await store.touch('hush-sid', read)
        expect(await store.get('hush-sid')).toBeNull()
        expect(store.counters.refused).toBe(4)
      },
      { path: redis.socketPath },
    )
  })

  test('keeps a session that is in use', async () => {
    await unlessStalled(
      300,
      async () => {
        const store = storeWith({ ttl: 1, touchInterval: 0 })
        await store.set('hush-sid', { value: 1 })
        for (let i = 0; i < 4; i++) {
          await sleep(350)
          const loaded = await store.get('hush-sid')
          expect(loaded).toMatchObject({ value: 1 })
          await store.touch('hush-sid', loaded as never)
        }
      },
      { path: redis.socketPath },
    )
  })

  test('gets no session after its absolute timeout, however much it is used', async () => {
    await unlessStalled(
      400,
      async () => {
        await redis.admin.flushall()
        const store = storeWith({ ttl: 60, absoluteTimeout: 0.6 })
        await store.set('hush-sid', { value: 1 })
        expect(await store.get('hush-sid')).toMatchObject({ value: 1 })
        await sleep(650)
        expect(await store.get('hush-sid')).toBeNull()
        expect(await store.exists('hush-sid')).toBe(false)
      },
      { path: redis.socketPath },
    )
  })

  test('is served by whole requests, and the key gets its TTL as soon as that is allowed', async () => {
    const store = storeWith({ ttl: 60 })
    const app = sessionApp(store)
    await store.set('hush-sid', { cookie: {} })
    await app.visit('/save/hush-value', 'hush-sid').expect(200)
    expect(await redis.admin.pttl(KEY)).toBe(-1)
    await allow('+pexpire')
    await app.visit('/show', 'hush-sid').expect(200, { hasSession: true, value: 'hush-value' })
    expect(await redis.admin.pttl(KEY)).toBeGreaterThan(50_000)
    expect(app.errors).toEqual([])
    app.close()
  })

  test("reads connect-redis's strings, which a touch cannot prolong, with a warning", async () => {
    const store = storeWith()
    await redis.admin.set(KEY, '{"cookie":{"path":"/"},"value":1}', 'EX', 60)
    const loaded = (await store.get('hush-sid')) as unknown as Bag
    expect(loaded).toMatchObject({ value: 1 })
    await store.touch('hush-sid', loaded)
    expect(store.counters.warning).toBe(1)
  })
})

describe('a user who may not run HSET', () => {
  test('cannot replace a session, and the session stays as it was', async () => {
    const store = storeWith()
    await store.set('hush-sid', { value: 1 })
    const before = await redis.admin.hgetall(KEY)
    await allow('-hset')
    const failure = await failureOf(store.set('hush-sid', { value: 2 }))
    expect(failure).toMatchObject({ code: 'ERR_SESSION_FORBIDDEN', status: 503 })
    expect(await redis.admin.hgetall(KEY)).toEqual(before)
  })

  test("cannot turn connect-redis's string into a hash, and the string stays", async () => {
    const store = storeWith()
    const text = '{"cookie":{"path":"/"},"value":1}'
    await redis.admin.set(KEY, text, 'EX', 60)
    const loaded = (await store.get('hush-sid')) as unknown as Bag
    loaded.value = 2
    await allow('-hset')
    for (const work of [store.set('hush-sid', loaded), store.set('hush-sid', {}), store.patch('hush-sid', { a: 1 })]) {
      expect(await failureOf(work)).toMatchObject({ code: 'ERR_SESSION_FORBIDDEN', status: 503 })
    }
    expect(await redis.admin.get(KEY)).toBe(text)
  })
})

test.each([
  ['no password', {}],
  ['a wrong password', { username: 'app', password: '4711-password-not' }],
])('with %s every operation fails within the timeout, and tells no secret', async (_name, credentials) => {
  jest.spyOn(console, 'warn').mockImplementation(() => {})
  await unlessStalled(250, async () => {
    await redis.admin.config('SET', 'requirepass', '4711-password')
    try {
      const store = storeWith({ client: redis.connect(credentials), timeout: 200 })
      const app = sessionApp(store)
      const failures = [
        await failureOf(store.get('hush-sid')),
        await failureOf(store.set('hush-sid', { value: 'hush-value' })),
        await failureOf(store.destroy('hush-sid')),
      ]
      const { body, headers } = await app.visit('/show', 'hush-sid').expect(503)
      for (const failure of failures) {
        expect(failure).toMatchObject({
          code: expect.stringMatching(/^ERR_SESSION_(FORBIDDEN|UNAVAILABLE)$/),
          status: 503,
        })
        expect(failure?.ms).toBeLessThan(600)
        expectNoSecrets(failure?.error, SECRETS)
      }
      expect(body.code).toMatch(/^ERR_SESSION_/)
      expect(headers['set-cookie']).toBeUndefined()
      app.close()
    } finally {
      await redis.admin.config('SET', 'requirepass', '')
    }
  })
})

test('a Redis without these commands repeats their arguments in its message, and the error does not', async () => {
  const renamed = ['hgetall', 'hmget', 'evalsha', 'eval', 'del', 'ping'].flatMap((name) => [
    '--rename-command',
    name,
    '',
  ])
  const bare = await privateRedis(renamed.slice(0, -3))
  const store = storeWith({ client: bare.connect() })
  const told = await bare.admin.call('HGETALL', KEY).catch(String)
  const failures = [
    await failureOf(store.get('hush-sid')),
    await failureOf(store.read('hush-sid', ['hush-property'])),
    await failureOf(store.set('hush-sid', { value: 'hush-value' })),
    await failureOf(store.destroy('hush-sid')),
  ]
  await bare.stop()
  expect(told).toContain('hush-sid')
  for (const failure of failures) {
    expect(failure).toMatchObject({ code: 'ERR_SESSION_REDIS', status: 503 })
    expectNoSecrets(failure?.error, SECRETS)
  }
})

test.each([
  ['a store', {}],
  ['a store with a near cache', { cache: CACHE }],
])('SCRIPT FLUSH between two requests goes unnoticed by %s', async (_name, options) => {
  const store = storeWith(options)
  if ('cache' in options) await isCaching(store, { client })
  const app = sessionApp(store)
  await store.set('hush-sid', { value: 1, cookie: {} })
  await app.visit('/show', 'hush-sid').expect(200)
  await redis.admin.script('FLUSH')
  await app.visit('/put/hush-after', 'hush-sid').expect(200)
  expect(await store.read('hush-sid', ['value'])).toEqual({ value: 'hush-after' })
  app.close()
  await store.close()
})

test('SCRIPT FLUSH between any two calls goes unnoticed', async () => {
  const store = storeWith({ touchInterval: 0 })
  const flush = () => redis.admin.script('FLUSH')
  await flush()
  await store.set('hush-sid', { value: 1 })
  const loaded = (await store.get('hush-sid')) as unknown as Bag
  await flush()
  await store.touch('hush-sid', loaded)
  loaded.value = 2
  await flush()
  await store.set('hush-sid', loaded)
  await flush()
  expect(await store.patch('hush-sid', { patched: true })).toBe(true)
  await flush()
  expect(await store.increment('hush-sid', 'value')).toBe(3)
  expect(await store.get('hush-sid')).toEqual({ value: 3, patched: true })
})

describe('a Redis in which a command is disabled', () => {
  test.each<[string, (store: RedisStore) => Promise<unknown>]>([
    ['EVALSHA', (store) => store.set('hush-sid', { value: 1 })],
    ['EVAL', (store) => store.set('hush-sid', { value: 1 })],
    // TIME runs in a script, where Redis names only a line.
    ['TIME', (store) => store.set('hush-sid', { value: 1 })],
    ['TYPE', (store) => store.set('hush-sid', { value: 1 })],
    ['HSET', (store) => store.set('hush-sid', { value: 1 })],
    ['HGETALL', (store) => store.get('hush-sid')],
    ['SCAN', (store) => store.length()],
    ['MEMORY', (store) => store.set('hush-sid', { value: 1 }).then(() => store.stats())],
  ])('%s: the error names it, and what to look for', async (disabled, work) => {
    const own = await privateRedis(['--rename-command', disabled, ''])
    try {
      const store = new RedisStore({ client: own.connect() })
      const failure = await failureOf(work(store))
      expect(failure).toMatchObject({ code: 'ERR_SESSION_REDIS', status: 503 })
      expect(failure?.error.message).toBe(
        `Redis does not know the command ${disabled}: it is disabled or renamed (rename-command), or this Redis is older than 6.0`,
      )
      expectNoSecrets(failure?.error, SECRETS)
    } finally {
      await own.stop()
    }
  })

  // Redis since 7.0 has no such setting.
  const beforeSeven = isRedisSince(7, 0) ? test.skip : test
  beforeSeven('scripts that may not ask for the time and then write: the error names the setting', async () => {
    const own = await privateRedis(['--lua-replicate-commands', 'no'])
    try {
      const store = new RedisStore({ client: own.connect() })
      const failure = await failureOf(store.set('hush-sid', { value: 1 }))
      expect(failure).toMatchObject({ code: 'ERR_SESSION_REDIS', status: 503 })
      expect(failure?.error.message).toMatch(/set lua-replicate-commands to yes/)
      expectNoSecrets(failure?.error, SECRETS)
    } finally {
      await own.stop()
    }
  })

  test.each(['hset', 'time', 'type'])('a user who may not run %s in a script: the error names it', async (command) => {
    await allow(`-${command}`)
    const failure = await failureOf(storeWith().set('hush-sid', { value: 1 }))
    expect(failure).toMatchObject({ code: 'ERR_SESSION_FORBIDDEN', status: 503 })
    expect(failure?.error.message).toBe(`the Redis user lacks a permission (${command.toUpperCase()})`)
    expectNoSecrets(failure?.error, SECRETS)
  })
})
