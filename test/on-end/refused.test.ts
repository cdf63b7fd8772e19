import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { hasten } from '../support/hasten.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { freshPrefix } from '../support/redis.js'

const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const stores: RedisStore[] = []
let redis: PrivateRedis
let admin: Redis
beforeAll(async () => {
  redis = await privateRedis()
  admin = redis.admin
})
afterEach(async () => {
  await admin.config('SET', 'maxmemory', 0)
  for (const store of stores.splice(0)) await store.close()
  await admin.flushall()
})
afterAll(() => redis.stop())

function archiving(client: Redis, options: Partial<RedisStoreOptions> = {}) {
  const reasons: string[] = []
  let heard = () => {}
  const onEnd: RedisStoreOptions['onEnd'] = (_ended, reason) => {
    reasons.push(reason)
    heard()
  }
  const store = new RedisStore({ client, prefix, onEnd, ...options })
  stores.push(store)
  const next = () =>
    new Promise<void>((resolve) => {
      heard = resolve
      if (reasons.length > 0) resolve()
    })
  return { store, reasons, next }
}

test('where Redis has no memory left, what expires is told of, and makes room', async () => {
  const { store, reasons, next } = archiving(redis.connect(), { ttl: 0.2 })
  await store.set('a', { cookie } as never)
  await admin.config('SET', 'maxmemory', 1)
  await next()
  await store.close()
  expect(reasons).toEqual(['expired'])
  expect(await admin.keys('*')).toEqual([])
})

test('where Redis has no memory left, a logout stays in Redis until it is told of', async () => {
  const client = redis.connect()
  const { store } = archiving(client, { onEnd: () => Promise.reject(new Error()) })
  await store.set('a', { cookie } as never)
  await admin.config('SET', 'maxmemory', 1)
  await store.destroy('a')
  await store.close()
  expect(await store.get('a')).toBeNull()
  await admin.config('SET', 'maxmemory', 0)
  const other = archiving(client)
  await hasten(admin, prefix)
  await other.next()
  expect(other.reasons).toEqual(['destroyed'])
})

test('where the Redis user may not use the queues, what is ended is told of', async () => {
  await admin.call('ACL', 'SETUSER', 'narrow', 'on', '>secret', `~${prefix}*`, '+@all')
  const { store, reasons, next } = archiving(redis.connect({ username: 'narrow', password: 'secret' }))
  await store.set('a', { cookie } as never)
  await store.destroy('a')
  await next()
  await store.close()
  expect(reasons).toEqual(['destroyed'])
  expect(await admin.keys('*')).toEqual([])
})

test('what is ended stays as long as it would have lived, in case nobody could be told to look for it', async () => {
  const { store } = archiving(redis.connect(), { ttl: 30 * 86_400, onEnd: () => Promise.reject(new Error()) })
  await store.set('a', { cookie } as never)
  await store.close()
  await store.destroy('a')
  expect(await admin.pttl(`${prefix}a`)).toBeGreaterThan(30 * 86_400_000)
  const other = archiving(redis.connect(), { onEnd: () => Promise.reject(new Error()) })
  // A session that a store has found once will be found again: from the second turn on, a day is enough.
  for (const _turn of [1, 2]) {
    await hasten(admin, prefix)
    const failed = new Promise((resolve) => other.store.once('warning', resolve))
    await failed
  }
  expect(await admin.pttl(`${prefix}a`)).toBeLessThanOrEqual(86_400_000)
})

test('while Redis refuses all writes it is not asked again and again, and afterwards everything is told of', async () => {
  const { store, reasons } = archiving(redis.connect(), { ttl: 0.5, timeout: 10_000 })
  // All names are in one queue, and fill more than a page.
  const queueOf = (name: string) => [...name].reduce((sum, char) => sum + char.charCodeAt(0), 0) % 8
  const names = Array.from({ length: 1000 }, (_, i) => `s${i}`).filter((name) => queueOf(name) === 0)
  await Promise.all(names.map((name) => store.set(name, { cookie } as never)))
  await admin.config('SET', 'min-replicas-to-write', 1)
  while (!(await redis.takeCalls()).zrangebyscore) await new Promise((resolve) => setTimeout(resolve, 100))
  await new Promise((resolve) => setTimeout(resolve, 4000))
  // The store looks twice, at eight queues.
  expect((await redis.takeCalls()).zrangebyscore ?? 0).toBeLessThanOrEqual(32)
  await admin.config('SET', 'min-replicas-to-write', 0)
  while (reasons.length < names.length) await new Promise((resolve) => setTimeout(resolve, 100))
})
