import { randomBytes } from 'node:crypto'
import { RedisStore } from 'connect-redis-hash'
import { Cluster, Redis } from 'ioredis'
import { connect, freshPrefix, socketPath } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
const plainCookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

afterAll(async () => {
  await store.clear()
  await client.quit()
})

const load = async (sid: string, from = store): Promise<Bag> => from.get(sid)
const asString = (sid: string, content: object, seconds = 100) =>
  client.set(prefix + sid, JSON.stringify({ cookie: plainCookie, ...content }), 'EX', seconds)

describe('the cookie, changed by two requests at once', () => {
  test('in attributes of different length stays readable, and is one of the two', async () => {
    await store.set('pieces', { cookie: plainCookie, user: 'ada' } as Bag)
    const [a, b] = [await load('pieces'), await load('pieces')]
    b.cookie.path = `/${'x'.repeat(150)}`
    await store.set('pieces', b)
    a.cookie.domain = 'example.org'
    await store.set('pieces', a)
    expect(await load('pieces')).toMatchObject({ user: 'ada', cookie: { domain: 'example.org' } })
  })

  test('"remember me" survives a request that loaded before and saves after it', async () => {
    await store.set('remember', { cookie: plainCookie, user: 'ada' } as Bag)
    const live = (data: Bag) => store.createSession({ sessionID: 'remember', sessionStore: store } as Bag, data) as Bag
    const [login, view] = [live(await load('remember')), live(await load('remember'))]
    login.cookie.maxAge = 30 * 86_400_000
    // express-session reads the clock twice for one maxAge.
    const { originalMaxAge } = login.cookie
    await store.set('remember', login)
    view.seen = true
    await store.set('remember', view)
    expect(await client.pttl(`${prefix}remember`)).toBeGreaterThan(29 * 86_400_000)
    expect(await load('remember')).toMatchObject({ seen: true, cookie: { originalMaxAge } })
  })
})

describe("connect-redis's string", () => {
  test('written over a hash by a server that still runs connect-redis takes up the changes of a save', async () => {
    await store.set('over', { cookie: plainCookie, v: 1 } as Bag)
    const held = await load('over')
    await asString('over', { v: 2 })
    held.order = 'paid'
    await store.set('over', held)
    expect(await load('over')).toMatchObject({ v: 2, order: 'paid' })
  })

  test('keeps to the absolute timeout though it is only read', async () => {
    const limited = new RedisStore({ client, prefix, ttl: 3600, absoluteTimeout: 50 })
    await asString('limited', { user: 'ada' })
    await limited.touch('limited', await load('limited', limited))
    expect(await client.pttl(`${prefix}limited`)).toBeLessThanOrEqual(50_000)
  })

  test('keeps a changed maxAge though nothing else has changed', async () => {
    await asString('week', { user: 'ada' })
    const req = { sessionID: 'week', sessionStore: store } as Bag
    const live = store.createSession(req, await load('week')) as Bag
    live.cookie.maxAge = 7 * 86_400_000
    const { originalMaxAge } = live.cookie
    await store.touch('week', live)
    expect((await load('week')).cookie.originalMaxAge).toBe(originalMaxAge)
  })

  test('is not prolonged by patch', async () => {
    await asString('patched', { user: 'ada' }, 100)
    await store.patch('patched', { a: 1 })
    expect(await client.pttl(`${prefix}patched`)).toBeLessThanOrEqual(100_000)
  })
})

test('a ttl that comes out as -Infinity ends the session, and Redis goes on answering', async () => {
  const endless = new RedisStore({ client, prefix, ttl: (held) => Math.max(...((held as Bag).roles ?? [3600])) })
  await endless.set('inf', { a: 1, cookie: {} } as Bag)
  await endless.touch('inf', { roles: [], cookie: {} } as Bag)
  expect(await client.ping()).toBe('PONG')
  expect(await load('inf')).toBeNull()
})

test('a session of very many properties is saved, and does not look like an outage', async () => {
  const big = Object.fromEntries(Array.from({ length: 75_000 }, (_, i) => [`p${i}`, 1]))
  // It judges no speed: a busy machine may take seconds for that many.
  const own = new RedisStore({ client, prefix, timeout: 60_000 })
  await own.set('big', { cookie: plainCookie, ...big } as Bag)
  expect(Object.keys((await load('big', own)) as object)).toHaveLength(75_001)
  expect(own.counters.unavailable).toBe(0)
})

test('a serializer that writes the same value differently each time loses no update', async () => {
  const salted = {
    stringify: (value: unknown) => `${randomBytes(4).toString('hex')} ${JSON.stringify(value)}`,
    parse: (text: string) => JSON.parse(text.slice(9)) as unknown,
  }
  const own = new RedisStore({ client, prefix, serializer: salted })
  await own.set('salted', { cookie: plainCookie, a: 1, b: 1 } as Bag)
  const [first, second] = [await load('salted', own), await load('salted', own)]
  first.a = 2
  second.b = 2
  await Promise.all([own.set('salted', first), own.set('salted', second)])
  expect(await own.read('salted', ['a', 'b'])).toEqual({ a: 2, b: 2 })
})

describe('a client with habits of its own', () => {
  test('that hands integers out as text works like any other', async () => {
    const textual = connect({ stringNumbers: true })
    const own = new RedisStore({ client: textual, prefix })
    await own.set('text', { cookie: plainCookie, n: 1 } as Bag)
    expect(await own.increment('text', 'n')).toBe(2)
    expect(await own.patch('text', { a: 1 })).toBe(true)
    const held = await load('text', own)
    held.b = 1
    await own.set('text', held)
    await own.destroy('text')
    expect(own.counters).toMatchObject({ created: 1, destroyed: 1 })
    await textual.quit()
  })

  test('that hands integers out as text ends all sessions of a user', async () => {
    const textual = connect({ stringNumbers: true })
    const own = new RedisStore({ client: textual, prefix: freshPrefix(), indexes: { user: (held: Bag) => held.user } })
    for (const sid of ['one', 'two']) await own.set(sid, { cookie: plainCookie, user: 'u-1' } as Bag)
    expect(await own.destroyBy('user', 'u-1')).toBe(2)
    expect(await own.findBy('user', 'u-1')).toEqual([])
    await own.close()
    await textual.quit()
  })

  test('that is inside a transaction of the caller fails, rather than take QUEUED for an answer', async () => {
    const busy = new Redis(socketPath(), { connectionName: 'busy' })
    const own = new RedisStore({ client: busy, prefix })
    await own.set('queued', { cookie: plainCookie } as Bag)
    await busy.multi({ pipeline: false })
    await expect(own.get('queued')).rejects.toMatchObject({ code: 'ERR_SESSION_REDIS' })
    await expect(own.destroy('queued')).rejects.toMatchObject({ code: 'ERR_SESSION_REDIS' })
    await busy.discard()
    expect(await own.get('queued')).not.toBeNull()
    await own.destroy('queued')
    await busy.quit()
  })

  test('that is a Cluster without any node fails to list or clear, rather than find nothing', async () => {
    const nowhere = new Cluster([{ host: '127.0.0.1', port: 1 }], {
      lazyConnect: true,
      clusterRetryStrategy: () => null,
    })
    nowhere.on('error', () => {})
    const own = new RedisStore({ client: nowhere, prefix, timeout: 200 })
    await expect(own.clear()).rejects.toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE' })
    await expect(own.length()).rejects.toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE' })
    nowhere.disconnect()
  })
})
