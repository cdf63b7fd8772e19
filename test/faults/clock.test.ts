import { RedisStore } from 'connect-redis-hash'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { bookkeeping } from '../support/raw-session.js'

type Bag = Record<string, unknown>

const KEY = 'sess:sid'
const TTL_MS = 60_000

let redis: PrivateRedis
let store: RedisStore

beforeAll(async () => {
  redis = await privateRedis()
  store = new RedisStore({ client: redis.connect(), ttl: TTL_MS / 1000, touchInterval: 0, timeout: 1000 })
})
afterAll(() => redis.stop())
beforeEach(() => redis.admin.flushall())
afterEach(() => jest.restoreAllMocks())

async function expectUsable(): Promise<void> {
  const ttl = await redis.admin.pttl(KEY)
  expect(ttl).toBeGreaterThan(TTL_MS - 5000)
  expect(ttl).toBeLessThanOrEqual(TTL_MS)
  expect(await store.get('sid')).not.toBeNull()
}

// After a failover to a server whose clock is behind, or when a clock is set back, sessions come from the future.
describe.each([
  ['5 seconds', 5000],
  ['10 minutes', 600_000],
  ['a year', 365 * 86_400_000],
])("a session that began %s later than Redis's clock says", (_name, aheadMs) => {
  beforeEach(async () => {
    const meta = bookkeeping({ createdAt: Date.now() + aheadMs, idleMs: TTL_MS })
    await redis.admin.hset(KEY, { '@': meta, value: '1', count: '1' })
    await redis.admin.pexpire(KEY, TTL_MS)
  })

  test.each([
    ['a save', async (loaded: Bag) => store.set('sid', Object.assign(loaded, { value: 2 }))],
    ['a touch', async (loaded: Bag) => store.touch('sid', loaded)],
    ['a plain set', async () => store.set('sid', { value: 2 })],
    ['a patch', async () => store.patch('sid', { value: 2 })],
    ['an increment', async () => store.increment('sid', 'count')],
  ])('survives %s, and Redis goes on answering', async (_name, write) => {
    await write((await store.get('sid')) as unknown as Bag)
    await expectUsable()
    const info = await store.info('sid')
    expect(Number(info?.seenAt)).toBeGreaterThanOrEqual(Number(info?.createdAt))
  })
})

test('a session that began long ago keeps its absolute timeout, whatever the clock of this process says', async () => {
  const limited = new RedisStore({ client: redis.connect(), ttl: 60, absoluteTimeout: 3600, touchInterval: 0 })
  await redis.admin.hset(KEY, { '@': bookkeeping({ createdAt: Date.now() - 3_590_000 }), value: '1' })
  await redis.admin.pexpire(KEY, TTL_MS)
  const loaded = (await limited.get('sid')) as unknown as Bag
  jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 600_000)
  await limited.set('sid', Object.assign(loaded, { value: 2 }))
  const ttl = await redis.admin.pttl(KEY)
  expect(ttl).toBeGreaterThan(5000)
  expect(ttl).toBeLessThanOrEqual(10_000)
})

describe.each([
  ['ahead of', 600_000],
  ['behind', -600_000],
])("a process whose clock is 10 minutes %s Redis's", (_name, offMs) => {
  beforeEach(() => {
    const now = Date.now.bind(Date)
    jest.spyOn(Date, 'now').mockImplementation(() => now() + offMs)
  })

  test('creates, reads, saves and touches sessions of the usual lifetime', async () => {
    await store.set('sid', { value: 1 })
    await expectUsable()
    const loaded = (await store.get('sid')) as unknown as Bag
    await store.touch('sid', loaded)
    await expectUsable()
    await store.set('sid', Object.assign(loaded, { value: 2 }))
    await expectUsable()
    expect(await store.get('sid')).toEqual({ value: 2 })
    expect(await store.exists('sid')).toBe(true)
  })
})
