import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis, RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { failureOf } from '../support/failure.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'

// The application halts the event loop of its own process: work without a pause, a large JSON.parse. Nothing is wrong with Redis.

const TIMEOUT_MS = 300

let redis: PrivateRedis
const clients: Redis[] = []

beforeAll(async () => {
  redis = await privateRedis()
})
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(() => redis.stop())

function kept(client: Redis): Redis {
  client.on('error', () => {})
  clients.push(client)
  return client
}

async function storeOn(client: Redis, options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const store = new RedisStore({ client, timeout: TIMEOUT_MS, indexes: { user: () => 'u-1' }, ...options })
  await until('it answers', () => store.set('hush-sid', { value: 'old', cookie: {} }).then(() => true))
  await until('it is loaded', () => store.get('hush-sid'))
  return store
}

/** How often the test tries again on a machine that is too busy to tell. */
const ATTEMPTS = 20

function halt(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/** A busy machine may have made Redis look away. */
const available = (store: RedisStore) =>
  until('Redis is available', async () => {
    await store.ping()
    return store.counters.unavailable === store.counters.available
  })

/** Reads, and a login, which takes several round trips. */
const requests = (store: RedisStore) =>
  Promise.all([
    ...Array.from({ length: 20 }, () => failureOf(store.get('hush-sid'))),
    failureOf(store.set(`hush-${Math.random()}`, { value: 'new', cookie: {} })),
    failureOf(store.destroy('hush-nobody')),
    failureOf(store.ping()),
  ])

/**
 * Does some round trips over another connection: how long they take from the end of the halt shows how busy this
 * machine is.
 */
async function roundTrips(): Promise<number> {
  for (let i = 0; i < 5; i++) await redis.admin.ping()
  return performance.now()
}

/** @returns how the requests fail that were made before a halt; undefined if this machine was too busy to tell */
async function failuresAround(store: RedisStore, ms: number, turns: number): Promise<string[] | undefined> {
  const asked = requests(store)
  const controlled = roundTrips()
  for (let i = 0; i < turns; i++) await new Promise(setImmediate)
  halt(ms)
  const end = performance.now()
  const failures = (await asked).filter((failure) => failure !== undefined)
  return (await controlled) - end > 15 ? undefined : failures.map(({ error }) => String(error))
}

describe.each([
  ['connectRedis', () => connectRedis(redis.socketPath, { commandTimeout: TIMEOUT_MS })],
  ['new Redis of ioredis 6', () => new Redis(redis.socketPath)],
  ['new Redis of ioredis 5', () => new Redis5(redis.socketPath) as unknown as Redis],
])('an application over %s that halts its event loop', (_name, connect) => {
  // The halts last up to the timeout, just longer than it, and longer than the socketTimeout of connectRedis.
  test.each([TIMEOUT_MS - 1, TIMEOUT_MS, 1.3 * TIMEOUT_MS, 3 * TIMEOUT_MS])(
    'for %i ms with requests under way: none fails, and Redis counts as available',
    async (ms) => {
      const client = kept(connect())
      const store = await storeOn(client)
      let closed = 0
      client.on('close', () => {
        closed += 1
      })
      const losses = () => {
        const { unavailable, available } = store.counters
        return { unavailable, available, closed }
      }
      // The halt begins in the turn in which the requests are made, when nothing has left yet, or once they have left.
      for (const turns of [0, 2]) {
        // If this machine is too busy all the time, the test can tell nothing.
        for (let i = 0; i < ATTEMPTS; i++) {
          await available(store)
          const before = losses()
          const failures = await failuresAround(store, ms, turns)
          if (failures === undefined) continue
          expect(failures).toEqual([])
          expect(losses()).toEqual(before)
          break
        }
      }
    },
  )
})

describe('a Redis that hangs', () => {
  afterEach(() => process.kill(redis.pid, 'SIGCONT'))

  test.each([
    ['does not halt', 0],
    ['halts for longer than the timeout', 1.5 * TIMEOUT_MS],
    ['halts for several times the timeout', 4 * TIMEOUT_MS],
  ])(
    'and an application that %s: requests fail within the timeout, 100 ms, and what the loop is late',
    async (_, ms) => {
      const client = kept(connectRedis(redis.socketPath, { commandTimeout: 10 * TIMEOUT_MS }))
      const store = await storeOn(client)
      await available(store)
      const { unavailable } = store.counters
      process.kill(redis.pid, 'SIGSTOP')
      let isOver = false
      let lateMs = 0
      const watching = (async () => {
        for (let last = performance.now(); !isOver; last = performance.now()) {
          await sleep(1)
          lateMs = Math.max(lateMs, performance.now() - last)
        }
      })()
      const looking = failureOf(store.get('hush-sid'))
      halt(ms)
      const failure = await looking
      isOver = true
      await watching
      expect(failure?.code).toBe('ERR_SESSION_TIMEOUT')
      expect(failure?.ms).toBeLessThan(TIMEOUT_MS + 100 + 2 * lateMs)
      expect(store.counters.unavailable).toBe(unavailable + 1)
      await store.close()
    },
  )
})
