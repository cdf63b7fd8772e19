import { RedisStore, type SessionContent } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { CACHE, isCaching } from '../support/near-cache.js'
import { connect, connect5, connectLowest, connectValkey, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'

// With the client's option `keyPrefix`, all keys begin with it, in every command and in every version of ioredis.

const raw = connect()
const cookie = { originalMaxAge: 600_000 }
const clients: Redis[] = []
const stores: RedisStore[] = []

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(() => raw.quit())

describe.each([
  ['ioredis 6', connect],
  ['ioredis 5', connect5],
  ['the oldest ioredis 5', connectLowest],
  ['iovalkey', connectValkey],
])('on %s', (_name, open) => {
  let keyPrefix: string
  let store: RedisStore

  const storeOf = (name: string) => {
    const client = open({ keyPrefix: name })
    client.on('error', () => {})
    clients.push(client)
    const made = new RedisStore({
      client,
      prefix: 's:',
      indexes: { user: (held: SessionContent) => held.userId },
      limit: { index: 'user', max: 3, onExceed: 'evict' },
      activity: true,
      broadcast: true,
      cache: CACHE,
      onEnd: async () => {},
      timeout: 60_000,
    })
    stores.push(made)
    return { store: made, client }
  }
  const make = (by: RedisStore, sid: string, held: object = {}) => by.set(sid, { cookie, ...held } as never)
  const keys = () => raw.keys(`*${keyPrefix}*`)

  beforeEach(() => {
    keyPrefix = freshPrefix()
    store = storeOf(keyPrefix).store
  })

  test('every key begins with it, and stats counts what all of them take', async () => {
    for (const sid of ['a', 'b', 'c', 'd']) await make(store, sid, { userId: 'ada' })
    await make(store, 'e', { userId: 'bob' })
    await store.get('e')
    await store.patch('e', { n: 1 })
    await store.increment('e', 'n')
    await store.close()
    const found = await keys()
    expect(found.length).toBeGreaterThan(6)
    for (const key of found) expect(key.startsWith(keyPrefix)).toBe(true)
    const bytes = await Promise.all(found.map((key) => raw.memory('USAGE', key)))
    const stats = await store.stats()
    expect(stats).toMatchObject({ sessions: 4, indexes: { user: { sessions: 4, values: 2 } } })
    expect(stats.bytes).toBe(bytes.reduce((sum: number, one) => sum + Number(one), 0))
    expect(stats.bytes).toBeGreaterThan(500)
  })

  test('sessions are found, listed and ended, and nothing is left of them', async () => {
    for (const sid of ['a', 'b']) await make(store, sid, { userId: 'ada' })
    await make(store, 'c', { userId: 'bob' })
    expect((await store.ids()).sort()).toEqual(['a', 'b', 'c'])
    expect(await store.findBy('user', 'ada')).toHaveLength(2)
    expect(await store.destroyBy('user', 'ada', { thorough: true })).toBe(2)
    expect(await store.length()).toBe(1)
    await store.clear()
    expect(await store.ids()).toEqual([])
    const sessions = (await keys()).filter((key) => key.startsWith(`${keyPrefix}s:`))
    expect(sessions).toEqual([])
  })

  test('stores of the same name hear of each other, in the near cache and by broadcast; others do not', async () => {
    const { store: same, client } = storeOf(keyPrefix)
    const { store: other } = storeOf(freshPrefix())
    await isCaching(same, { client })
    await make(store, 'a', { n: 1 })
    await until('it is cached', async () => {
      const { hits } = same.cacheStats as { hits: number }
      await same.get('a')
      return (same.cacheStats?.hits ?? 0) > hits
    })
    await store.patch('a', { n: 2 })
    await until('the change is seen', async () => ((await same.get('a')) as { n?: number } | null)?.n === 2)
    const before = [same.counters.ended, other.counters.ended]
    await until('it hears of an end', async () => {
      await make(store, 'b')
      await store.destroy('b')
      return same.counters.ended > (before[0] as number)
    })
    expect(other.counters.ended).toBe(before[1])
  })
})
