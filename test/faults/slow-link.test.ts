import { connectRedis, RedisStore } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { expectNoSecrets, type Failure, failureOf } from '../support/failure.js'
import { figure } from '../support/figures.js'
import { Link } from '../support/link.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { traffic } from '../support/traffic.js'
import { until } from '../support/until.js'

// A link to Redis that loses nothing, but takes its time.

const TIMEOUT_MS = 1000
/** A busy machine takes this much longer. */
const SLACK_MS = 1500

let redis: PrivateRedis
let link: Link
let client: Redis
let store: RedisStore

beforeAll(async () => {
  redis = await privateRedis()
  link = new Link({ path: redis.socketPath })
  await link.open()
  client = connectRedis(`redis://127.0.0.1:${link.port}`)
  client.on('error', () => {})
  store = new RedisStore({ client, timeout: TIMEOUT_MS, touchInterval: 0 })
})
// A busy machine may have been too slow for the connection, or have lost it.
beforeEach(() => until('it answers', () => store.ping().then(() => true)))
afterEach(() => link.slow(0))
afterAll(async () => {
  client.disconnect()
  await link.close()
  await redis.stop()
})

const session = (value: number) => ({ value, cookie: { originalMaxAge: null } }) as never

test('slower than usual, within the timeout: every request is served, later', async () => {
  await store.set('hush-sid', session(0))
  link.slow(50)
  const visiting = traffic(async (i) => {
    const loaded = await store.get('hush-sid')
    await store.set('hush-sid', Object.assign(loaded as object, { [`visit${i % 5}`]: i }) as never)
  }, 30)
  await visiting.goesWell(30)
  const { failures, slowestMs } = await visiting.stop()
  figure('slow link, 50 ms each way', { slowestMs })
  expect(failures).toEqual([])
  // A request does two operations, of one round trip each.
  expect(slowestMs).toBeGreaterThan(195)
})

test('slower than the timeout: 503 in time, nothing ended comes back, and all goes well once it is fast again', async () => {
  const sids = Array.from({ length: 10 }, (_, i) => `hush-${i}`)
  await Promise.all(sids.map((sid) => store.set(sid, session(1))))
  const loaded = await Promise.all(sids.map((sid) => store.get(sid)))
  link.slow(TIMEOUT_MS)
  const saves = sids.map((sid, i) =>
    failureOf(store.set(sid, Object.assign(loaded[i] as object, { value: 2 }) as never)),
  )
  const failures = (await Promise.all(saves)) as Failure[]
  for (const { code, status, ms, error } of failures) {
    expect([code, status]).toEqual(['ERR_SESSION_TIMEOUT', 503])
    expect(ms).toBeLessThan(TIMEOUT_MS + SLACK_MS)
    expectNoSecrets(error, ['hush-', 'sess:'])
  }
  // Another server, with a better link, destroys the sessions while the saves are still under way.
  const near = new RedisStore({ client: redis.connect() })
  await near.destroy('hush-0')
  const start = performance.now()
  link.slow(0)
  await until('it works', () => store.ping().then(() => true))
  figure('slow link, over', { recovery: performance.now() - start })
  await until('what was under way has arrived', async () => (await redis.admin.hget('sess:hush-9', 'value')) === '2')
  expect(await near.exists('hush-0')).toBe(false)
  const ttls = await Promise.all(sids.slice(1).map((sid) => redis.admin.pttl(`sess:${sid}`)))
  expect(ttls.filter((ttl) => ttl < 0)).toEqual([])
})
