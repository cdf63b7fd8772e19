import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import type { SessionData, Store } from 'express-session'
import { connect, freshPrefix } from '../support/redis.js'
import { CONNECT_REDIS_DIFFERENCES } from './differences.js'
import { connectRedis } from './node-redis.js'

/** The methods connect-redis has, as its users call them: with await. */
interface PromiseStore extends Store {
  get(sid: string): Promise<(SessionData & Record<string, unknown>) | null>
  set(sid: string, data: SessionData): Promise<void>
  touch(sid: string, data: SessionData): Promise<void>
  destroy(sid: string): Promise<void>
  all(): Promise<(SessionData & Record<string, unknown>)[]>
  ids(): Promise<string[]>
  length(): Promise<number>
  clear(): Promise<void>
}

const HOUR = 3600
const client = connect()
let theirs: Awaited<ReturnType<typeof connectRedis>>
beforeAll(async () => {
  theirs = await connectRedis()
})
afterAll(() => Promise.all([client.quit(), theirs.close()]))

type Options = Omit<RedisStoreOptions, 'client'>
const makers = {
  'connect-redis': (options: Options) => theirs.store(options as never) as unknown as PromiseStore,
  RedisStore: (options: Options) => new RedisStore({ client, ...options }) as unknown as PromiseStore,
}

const session = (properties: Record<string, unknown> = {}, maxAgeMs?: number) => {
  const expires = maxAgeMs === undefined ? null : new Date(Date.now() + maxAgeMs).toISOString()
  const cookie = { originalMaxAge: maxAgeMs ?? null, expires, httpOnly: true, path: '/' }
  return { cookie, ...properties } as unknown as SessionData
}

describe.each(Object.entries(makers))('%s', (name, make) => {
  const is = Object.fromEntries(
    Object.entries(CONNECT_REDIS_DIFFERENCES).map(([key, row]) => [key, row[name as keyof typeof makers]]),
  ) as unknown as { [K in keyof typeof CONNECT_REDIS_DIFFERENCES]: string }
  let prefix: string
  beforeEach(() => {
    prefix = freshPrefix()
  })

  /** Seconds the key has left, asserted to be just under `seconds`. */
  async function expectTtl(sid: string, seconds: number): Promise<void> {
    const left = (await client.pttl(prefix + sid)) / 1000
    expect(left).toBeGreaterThan(seconds - 5)
    expect(left).toBeLessThanOrEqual(seconds)
  }

  test('without options, keys begin with sess: and live a day', async () => {
    const store = make({})
    const sid = freshPrefix().slice(0, -1)
    await store.set(sid, session({ user: 'ann' }))
    prefix = 'sess:'
    await expectTtl(sid, 86_400)
    expect(await store.get(sid)).toMatchObject({ user: 'ann' })
    await store.destroy(sid)
    expect(await client.exists(`sess:${sid}`)).toBe(0)
  })

  test('prefix and id make the key', async () => {
    await make({ prefix }).set('a', session())
    expect(await client.exists(`${prefix}a`)).toBe(1)
  })

  test('methods give promises: null for what is absent, nothing for what was done', async () => {
    const store = make({ prefix })
    expect(await store.get('a')).toBeNull()
    expect((await store.set('a', session({ user: 'ann' }))) ?? null).toBeNull()
    expect(await store.get('a')).toEqual(session({ user: 'ann' }))
    expect((await store.touch('a', session())) ?? null).toBeNull()
    expect((await store.destroy('a')) ?? null).toBeNull()
    expect((await store.destroy('a')) ?? null).toBeNull()
    expect(await store.get('a')).toBeNull()
  })

  test('ttl in seconds is the life of a key whose cookie has no maxAge; touch renews it', async () => {
    const store = make({ prefix, ttl: HOUR })
    await store.set('a', session())
    await expectTtl('a', HOUR)
    await client.expire(`${prefix}a`, 10)
    await make({ prefix, ttl: 2 * HOUR }).touch('a', session())
    await expectTtl('a', 2 * HOUR)
  })

  test('the expiry of the cookie comes before ttl', async () => {
    const store = make({ prefix, ttl: HOUR })
    await store.set('a', session({}, 2 * HOUR * 1000))
    await expectTtl('a', 2 * HOUR)
    await store.touch('a', session({}, 3 * HOUR * 1000))
    await expectTtl('a', 3 * HOUR)
  })

  test('ttl may be a function of the session', async () => {
    const store = make({ prefix, ttl: (data) => ((data as { admin?: boolean }).admin ? 60 : HOUR) })
    await store.set('admin', session({ admin: true }))
    await store.set('user', session({ admin: false }))
    await expectTtl('admin', 60)
    await expectTtl('user', HOUR)
    await store.touch('user', session({ admin: true }))
    await expectTtl('user', 60)
  })

  test('a ttl function and a cookie with maxAge: one of them counts', async () => {
    await make({ prefix, ttl: () => 60 }).set('a', session({}, HOUR * 1000))
    await expectTtl('a', is.ttlFunctionBesideMaxAge === 'function' ? 60 : HOUR)
  })

  test.each([0, -1])('a ttl function that returns %d ends the session', async (ttl) => {
    await make({ prefix }).set('a', session())
    await make({ prefix, ttl: () => ttl }).set('a', session())
    expect(await client.exists(`${prefix}a`)).toBe(0)
  })

  test('a session set with a cookie that has expired is deleted', async () => {
    const store = make({ prefix })
    await store.set('a', session({ user: 'ann' }))
    await store.set('a', session({ user: 'ann' }, -1000))
    expect(await client.exists(`${prefix}a`)).toBe(0)
  })

  test('disableTouch: only set renews the expiry', async () => {
    const store = make({ prefix, ttl: HOUR, touchInterval: 0, disableTouch: true })
    await store.set('a', session())
    await client.expire(`${prefix}a`, 10)
    await store.touch('a', session())
    await expectTtl('a', 10)
    await store.set('a', session())
    await expectTtl('a', HOUR)
  })

  test('disableTTL: keys have no expiry, not even after a touch', async () => {
    const store = make({ prefix, disableTTL: true })
    await store.set('a', session({}, HOUR * 1000))
    await store.touch('a', session({}, HOUR * 1000))
    expect(await client.ttl(`${prefix}a`)).toBe(-1)
  })

  test('touch of what is absent creates nothing', async () => {
    await make({ prefix }).touch('a', session())
    expect(await client.exists(`${prefix}a`)).toBe(0)
  })

  test('all is an array of sessions with id; ids, length and clear see the same, and no other prefix', async () => {
    const store = make({ prefix, scanCount: 7 })
    const other = make({ prefix: freshPrefix() })
    await other.set('x', session())
    expect([await store.all(), await store.ids(), await store.length()]).toEqual([[], [], 0])
    const sids = Array.from({ length: 50 }, (_, i) => `s${i}`).sort()
    await Promise.all(sids.map((sid) => store.set(sid, session({ user: sid }))))

    const byId = new Map((await store.all()).map((one) => [one.id, one]))
    expect([...byId.keys()].sort()).toEqual(sids)
    for (const sid of sids) expect(byId.get(sid)).toEqual({ ...session({ user: sid }), id: sid })
    expect((await store.ids()).sort()).toEqual(sids)
    expect(await store.length()).toBe(50)
    await store.clear()
    expect(await store.length()).toBe(0)
    expect(await other.length()).toBe(1)
    await other.clear()
  })

  test('the prefix is text, or a pattern that lists what others have stored', async () => {
    const others = make({ prefix: `${prefix}aXb:` })
    await others.set('x', session())
    const length = await make({ prefix: `${prefix}a*b:` }).length()
    expect(length).toBe(is.prefix === 'pattern' ? 1 : 0)
    await others.clear()
  })

  test('a serializer of the application writes what Redis holds and reads it, parse may be asynchronous', async () => {
    const written: unknown[] = []
    const serializer = {
      stringify(value: unknown) {
        written.push(value)
        return `v1${JSON.stringify(value)}`
      },
      parse: async (text: string) => JSON.parse(text.slice(2)),
    }
    const store = make({ prefix, serializer: serializer as never })
    await store.set('a', session({ user: 'ann' }))
    expect(await store.get('a')).toEqual(session({ user: 'ann' }))
    expect(written).toEqual(is.serializerGets === 'session' ? [session({ user: 'ann' })] : ['ann'])
  })

  test.each<[string, Options, keyof typeof is]>([
    ['ttl 0', { ttl: 0 }, 'ttl0'],
    ['scanCount 0', { scanCount: 0 }, 'scanCount0'],
    ['an empty prefix', { prefix: '' }, 'emptyPrefix'],
    ['an unknown option', { tttl: 1 } as never, 'unknownOption'],
  ])('%s is taken, or refused at once', (_what, options, difference) => {
    if (is[difference] === 'TypeError') expect(() => make(options)).toThrow(TypeError)
    else expect(() => make(options)).not.toThrow()
  })
})
