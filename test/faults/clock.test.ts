import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { cachingStore } from '../support/near-cache.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { bookkeeping } from '../support/raw-session.js'

type Bag = Record<string, unknown>

const KEY = 'sess:sid'
const TTL_MS = 60_000

let redis: PrivateRedis
let store: RedisStore

beforeAll(async () => {
  redis = await privateRedis()
  store = new RedisStore({ client: redis.connect(), ttl: TTL_MS / 1000, touchInterval: 0 })
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

// Whatever the clock of the application says, Redis's clock decides about the TTL.
describe.each([0, -1000, -5000, -30_000, -600_000, 1000, 5000, 30_000, 600_000])(
  "a process whose clock is %i ms off Redis's",
  (offMs) => {
    const TOUCH_MS = 6000
    const now = Date.now.bind(Date)
    let isOff: boolean
    beforeEach(() => {
      isOff = true
      jest.spyOn(Date, 'now').mockImplementation(() => now() + (isOff ? offMs : 0))
    })

    const sliding = (options: Partial<RedisStoreOptions> = {}) =>
      new RedisStore({ client: redis.connect(), ttl: TTL_MS / 1000, touchInterval: TOUCH_MS / 1000, ...options })

    /** Makes a session that was last seen this long ago by Redis's clock. */
    async function seen(agoMs: number): Promise<void> {
      const meta = bookkeeping({ createdAt: now() - agoMs, idleMs: TTL_MS })
      await redis.admin.hset(KEY, { '@': meta, value: '1' })
      await redis.admin.pexpire(KEY, TTL_MS - agoMs)
    }

    /** A request that only reads. @returns what the session has left to live after it, and whether it has written */
    async function visit(visited: RedisStore): Promise<{ ttl: number; hasWritten: boolean }> {
      const before = await redis.admin.hget(KEY, '@')
      await visited.touch('sid', (await visited.get('sid')) as never)
      return { ttl: await redis.admin.pttl(KEY), hasWritten: (await redis.admin.hget(KEY, '@')) !== before }
    }

    // Ages just before and just after it is due, ages at which the clock might mislead, and ages shortly before the
    // end.
    const AGES = [500, 2000, TOUCH_MS - 1500, TOUCH_MS + 1, 7500, 11_500, 29_000, 33_000, 36_500, TTL_MS - 2000]

    test.each([
      ['has just started', () => sliding()],
      [
        'has a near cache',
        () => cachingStore({ client: redis.connect(), ttl: TTL_MS / 1000, touchInterval: TOUCH_MS / 1000 }),
      ],
      [
        'has written before',
        async () => {
          const warm = sliding()
          await warm.set('other', { value: 1 })
          return warm
        },
      ],
      [
        'has written before its clock was set',
        async () => {
          isOff = false
          const warm = sliding()
          await warm.set('other', { value: 1 })
          isOff = true
          return warm
        },
      ],
    ])(
      'and that %s: a session in use is slid in time, and never lives for longer than its ttl',
      async (_name, start) => {
        for (const ageMs of AGES) {
          const visited = await start()
          await seen(ageMs)
          for (let i = 0; i < 2; i++) {
            const { ttl } = await visit(visited)
            expect(ttl).toBeGreaterThan(TTL_MS - TOUCH_MS - 1000)
            expect(ttl).toBeLessThanOrEqual(TTL_MS)
          }
          await visited.close()
        }
      },
    )

    test('writes nothing while nothing is due, once Redis has told the time', async () => {
      const visited = sliding()
      await visited.set('other', { value: 1 })
      await seen(TOUCH_MS - 3000)
      expect(await visit(visited)).toMatchObject({ hasWritten: false })
      await seen(TOUCH_MS + 1)
      expect(await visit(visited)).toMatchObject({ hasWritten: true })
      expect(await visit(visited)).toMatchObject({ hasWritten: false })
    })
  },
)
