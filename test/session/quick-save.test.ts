import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { passTime } from '../support/pass-time.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { ANY_CHANNEL } from '../support/server.js'

/*
 * A save that nobody has come in between of takes a short script; the caller says what the bookkeeping is afterwards.
 * docs/storage.test.ts shows when; these tests look at what is left in Redis.
 */

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const TTL = 1800
const KEY = 'sess:x'
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
let redis: PrivateRedis
let client: Redis

beforeAll(async () => {
  redis = await privateRedis()
  client = redis.admin
})
afterAll(() => redis.stop())
beforeEach(() => client.flushall())

const storeWith = (options: Partial<RedisStoreOptions> = {}) =>
  new RedisStore({ client, ttl: TTL, touchInterval: 0, ...options })
const load = async (store: RedisStore): Promise<Bag> => store.get('x')
const meta = async () => (await client.hget(KEY, '@')) ?? ''
const savesIn = (text: string) => Number.parseInt(text.split(' ')[3] ?? '', 36)
const sizeIn = (text: string) => Number.parseInt(/ #(\w+)$/.exec(text)?.[1] ?? '', 36)

/** Counts the scripts that are called from now on. */
async function countCalls(): Promise<() => Promise<number>> {
  await client.config('RESETSTAT')
  return async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
}

/** Makes a session, and lets the store learn Redis's time. */
async function started(store: RedisStore, content: object = { n: 1 }): Promise<void> {
  await store.set('x', { cookie, ...content } as Bag)
  await store.touch('x', await load(store))
}

describe('the short save', () => {
  test('counts the save and the bytes, keeps the time of creation, and prolongs the session by its idle timeout', async () => {
    const store = storeWith()
    await started(store)
    const before = await meta()
    await client.pexpire(KEY, 60_000)

    await store.set('x', Object.assign(await load(store), { n: 12_345, name: 'Zoë' }))

    const after = await meta()
    expect(after.split(' ')[0]).toBe(before.split(' ')[0])
    expect(savesIn(after)).toBe(savesIn(before) + 1)
    expect(sizeIn(after)).toBe(Buffer.byteLength('n12345name"Zoë"'))
    const left = await client.pttl(KEY)
    expect(left).toBeGreaterThan((TTL - 60) * 1000)
    expect(left).toBeLessThanOrEqual(TTL * 1000)
    expect(await load(store)).toMatchObject({ n: 12_345, name: 'Zoë' })
  })

  test('notes no time of use that Redis has not reached yet, and no earlier one than before', async () => {
    const store = storeWith()
    await started(store)
    let last = 0
    for (let n = 0; n < 20; n++) {
      await store.set('x', Object.assign(await load(store), { n }))
      const [created = '', seen = ''] = (await meta()).split(' ')
      const seenAt = Math.floor(Number.parseInt(created, 36) / 1000) + Number.parseInt(seen, 36)
      const [seconds, micros] = (await client.time()) as [number, number]
      expect(seenAt).toBeLessThanOrEqual(Number(seconds) * 1000 + Number(micros) / 1000)
      expect(seenAt).toBeGreaterThanOrEqual(last)
      last = seenAt
    }
  })

  test('never prolongs a session beyond its absolute timeout, whatever time has passed since it was loaded', async () => {
    const store = storeWith({ absoluteTimeout: 2 * TTL })
    await started(store)
    await passTime(client, KEY, 1.5 * TTL * 1000)
    const loaded = await load(store)
    const calls = await countCalls()

    await store.set('x', Object.assign(loaded, { n: 2 }))

    expect(await calls()).toBe(1)
    expect(await client.pttl(KEY)).toBeLessThanOrEqual(0.5 * TTL * 1000)
    expect(await client.hget(KEY, 'n')).toBe('2')
  })

  test('writes nothing once the absolute timeout is over, and the session ends', async () => {
    const store = storeWith({ absoluteTimeout: 2 * TTL })
    await started(store)
    await passTime(client, KEY, 2 * TTL * 1000)
    const loaded = await load(store)

    await store.set('x', Object.assign(loaded, { n: 2 }))

    expect(await client.exists(KEY)).toBe(0)
  })

  test('leaves the idle timeout and the cookie that another request has written meanwhile', async () => {
    const store = storeWith()
    await started(store, { n: 1 })
    const [mine, theirs] = [await load(store), await load(store)]
    theirs.cookie = { ...theirs.cookie, originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000), secure: true }
    await store.set('x', theirs)
    mine.n = 2
    await store.set('x', mine)
    const calls = await countCalls()

    mine.n = 3
    await store.set('x', mine)

    expect(await calls()).toBeGreaterThan(0)
    expect(await load(store)).toMatchObject({ n: 3, cookie: { secure: true } })
    expect(await client.pttl(KEY)).toBeLessThanOrEqual(60_000)
  })

  test('is not taken after a touch that came behind the save of another request: its bytes are counted', async () => {
    const store = storeWith()
    await started(store)
    const [mine, theirs] = [await load(store), await load(store)]
    await store.set('x', Object.assign(theirs, { name: 'Ada Lovelace' }))
    await store.touch('x', mine)

    await store.set('x', Object.assign(mine, { name: 'Eve' }))

    expect(sizeIn(await meta())).toBe('n1name"Eve"'.length)
  })

  test('of a session that Redis may no longer let expire lands, is marked so, and ends when its time is over', async () => {
    await client.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', ...ANY_CHANNEL, '+@all')
    const own = redis.connect({ username: 'app', password: 'secret' })
    const store = storeWith({ client: own })
    const warnings: unknown[] = []
    store.on('warning', ({ code }) => warnings.push(code))
    await started(store)
    const loaded = await load(store)
    await client.call('ACL', 'SETUSER', 'app', '-pexpire')

    await store.set('x', Object.assign(loaded, { n: 2 }))

    expect(await load(store)).toMatchObject({ n: 2 })
    expect(warnings).toEqual(['expire-forbidden'])
    await passTime(client, KEY, TTL * 1000)
    expect(await load(store)).toBeNull()
    own.disconnect()
  })

  test('of more fields than one call of Lua takes is written by the longer script', async () => {
    const store = storeWith()
    await started(store)
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`p${i}`, i]))

    await store.set('x', Object.assign(await load(store), many))

    expect(await load(store)).toMatchObject(many)
    expect(sizeIn(await meta())).toBe(
      Object.entries({ n: 1, ...many }).reduce((sum, [name, n]) => sum + `${name}${n}`.length, 0),
    )
  })
})
