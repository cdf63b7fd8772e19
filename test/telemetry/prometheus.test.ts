import { RedisStore } from 'connect-redis-hash'
import { sessionMetrics } from 'connect-redis-hash/prometheus'
import { Registry } from 'prom-client'
import { HELP } from '../../src/telemetry/metrics.js'
import { privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, path: '/' }
const everything = {
  prefix,
  indexes: { user: (session: { userId?: string }) => session.userId },
  activity: true,
  broadcast: true,
  cache: { max: 10, maxAge: 60 },
}
const store = new RedisStore({ client, ...everything } as never) as RedisStore

/** The samples of a registry: `name{labels} value` a line. */
async function samples(register: Registry): Promise<Map<string, number>> {
  const lines = (await register.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
}

afterAll(async () => {
  await store.clear()
  await store.close()
  await client.quit()
})

test('a store with every option has every metric, and no label that a visitor could choose', async () => {
  const register = new Registry()
  const stop = sessionMetrics(store, { register })
  await store.set('a-session-id', { cookie, userId: 'ada' } as never)
  await until('a hit of the near cache', async () => {
    await store.get('a-session-id')
    return (store.cacheStats?.hits ?? 0) > 0
  })
  await store.get('nobody')
  const found = await samples(register)
  expect(
    [...new Set([...found.keys()].map((name) => name.replace(/(_bucket|_sum|_count)?(\{.*)?$/, '')))].sort(),
  ).toEqual(Object.keys(HELP).sort())
  expect(found.get('session_store_operations_total{operation="set",outcome="ok"}')).toBe(1)
  expect(found.get('session_store_operations_total{operation="get",outcome="absent"}')).toBe(1)
  expect(found.get('session_store_operation_duration_seconds_count{operation="set"}')).toBe(1)
  expect(found.get('session_store_events_total{event="created"}')).toBe(1)
  expect(found.get('session_store_cache_requests_total{result="hit"}')).toBe(store.cacheStats?.hits)
  expect(found.get('session_store_available')).toBe(1)
  expect(found.get('session_store_side_connections_up{kind="cache"}')).toBe(1)
  expect(found.get('session_store_active{kind="users",step="day"}')).toBe(1)
  expect(found.get('session_store_active{kind="sessions",step="minute"}')).toBeGreaterThanOrEqual(0)
  const text = await register.metrics()
  for (const secret of ['ada', 'a-session-id', prefix]) expect(text).not.toContain(secret)
  stop()
  expect(await register.metrics()).toBe('\n')
})

test('however many operations there are, and whatever fails, the number of samples stays the same', async () => {
  const plain = new RedisStore({ client, prefix: freshPrefix() })
  const register = new Registry()
  sessionMetrics(plain, { register })
  const fail = () => plain.set('one', { cookie, toJSON: () => Promise.reject(new Error('x')) } as never)
  await Promise.all([plain.get('nobody'), plain.ping(), plain.set('', {} as never).catch(() => undefined)])
  await fail().catch(() => undefined)
  const before = (await samples(register)).size
  for (let i = 0; i < 50; i++) {
    await plain.get(`nobody-${i}`)
    await plain.set('', { name: i } as never).catch(() => undefined)
    await plain
      .set(`one-${i}`, {
        cookie,
        get broken() {
          throw Object.assign(new Error('x'), { code: `E${i}` })
        },
      } as never)
      .catch(() => undefined)
  }
  expect((await samples(register)).size).toBe(before)
  await plain.clear()
  await plain.close()
})

test('two stores count for themselves, each in its own registry', async () => {
  const [one, two] = [new RedisStore({ client, prefix }), new RedisStore({ client, prefix })]
  const registers = [new Registry(), new Registry()] as const
  sessionMetrics(one, { register: registers[0] })
  sessionMetrics(two, { register: registers[1] })
  await one.ping()
  const counted = await Promise.all(registers.map(samples))
  const name = 'session_store_operations_total{operation="ping",outcome="ok"}'
  expect(counted.map((found) => found.get(name))).toEqual([1, 0])
  for (const each of [one, two]) await each.close()
})

test('while Redis is away, the metrics are there, say so, and leave out who is active', async () => {
  const redis = await privateRedis()
  const away = new RedisStore({ client: redis.connect(), activity: true, timeout: 1000 })
  const register = new Registry()
  sessionMetrics(away, { register })
  await away.ping()
  expect((await samples(register)).get('session_store_active{kind="users",step="day"}')).toBe(0)
  process.kill(redis.pid, 'SIGSTOP')
  await expect(away.ping()).rejects.toMatchObject({ code: 'ERR_SESSION_TIMEOUT' })
  const found = await samples(register)
  expect(found.get('session_store_available')).toBe(0)
  expect(found.get('session_store_errors_total{code="ERR_SESSION_TIMEOUT"}')).toBeGreaterThanOrEqual(1)
  expect([...found.keys()].filter((name) => name.startsWith('session_store_active'))).toEqual([])
  process.kill(redis.pid, 'SIGCONT')
  await until('Redis is back', () => away.health.available)
  expect((await samples(register)).get('session_store_available')).toBe(1)
  await away.close()
  await redis.stop()
})

test('wrong use is a TypeError that says what to do', () => {
  const register = new Registry()
  sessionMetrics(store, { register })()
  sessionMetrics(store, { register })
  expect(() => sessionMetrics(store, { register })).toThrow(/Registry with setDefaultLabels/)
  expect(() => sessionMetrics(store, { registry: register } as never)).toThrow('no option "registry"')
  expect(() => sessionMetrics({} as never, { register: new Registry() })).toThrow(TypeError)
})
