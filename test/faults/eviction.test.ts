import { RedisStore } from 'connect-redis-hash'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { sessionApp } from '../support/session-app.js'

// Redis throws keys away to make room for others, and chooses them itself; a session goes as a whole, and so does an
// index.

let redis: PrivateRedis
beforeAll(async () => {
  redis = await privateRedis()
})
beforeEach(() => redis.admin.flushall())
afterEach(async () => {
  await redis.admin.config('SET', 'maxmemory', '0')
  await redis.admin.config('SET', 'maxmemory-policy', 'noeviction')
})
afterAll(() => redis.stop())

const COUNT = 300
const sids = Array.from({ length: COUNT }, (_, i) => `sid-${i}`)
const session = (i: number) => ({ userId: `u${i}`, value: 'x'.repeat(2000), cookie: { originalMaxAge: null } }) as never

/** Leaves so little memory that some of the keys have to go. */
async function squeeze(policy: string): Promise<void> {
  const used = Number(/^used_memory:(\d+)/m.exec(await redis.admin.info('memory'))?.[1])
  await redis.admin.config('SET', 'maxmemory-policy', policy)
  await redis.admin.config('SET', 'maxmemory', String(used - 150 * 1024))
}

const evicted = async () => Number(/^evicted_keys:(\d+)/m.exec(await redis.admin.info('stats'))?.[1])

test.each(['volatile-ttl', 'volatile-lru', 'allkeys-lru', 'allkeys-random'])(
  'with %s, a session is there as a whole or not at all: a visitor who lost theirs is anonymous, all others are served',
  async (policy) => {
    const before = await evicted()
    const store = new RedisStore({ client: redis.connect(), indexes: { user: (held) => held.userId as string } })
    for (const [i, sid] of sids.entries()) await store.set(sid, session(i))
    await squeeze(policy)
    // Redis evicts while it carries out commands.
    for (const sid of sids.slice(0, 20)) await store.patch(sid, { seen: 1 })
    expect(await evicted()).toBeGreaterThan(before)
    await redis.admin.config('SET', 'maxmemory', '0')

    const held = await Promise.all(sids.map((sid) => store.get(sid)))
    for (const [i, one] of held.entries()) if (one !== null) expect(one).toMatchObject({ userId: `u${i}` })
    expect(held.filter((one) => one !== null).length).toBeGreaterThan(0)
    const [gone, there] = [held.indexOf(null), held.findIndex((one) => one !== null)]
    const app = sessionApp(store)
    // `volatile-*` and `allkeys-random` may have evicted nothing but indexes.
    if (gone !== -1) await app.visit('/show', `sid-${gone}`).expect(200, { hasSession: true, value: null })
    expect((await app.visit('/show', `sid-${there}`).expect(200)).body.value).toHaveLength(2000)
    app.close()
    const keys = await redis.admin.keys('sess:*')
    const ttls = await Promise.all(keys.map((key) => redis.admin.pttl(key)))
    expect(ttls.filter((ttl) => ttl === -1)).toEqual([])
    // With a lost index, too, nobody stays logged in.
    for (const [i, one] of held.entries()) {
      if (one === null || i > 30) continue
      expect([i, await store.destroyBy('user', `u${i}`, { thorough: true })]).toEqual([i, 1])
      expect(await store.exists(`sid-${i}`)).toBe(false)
    }
  },
)
