import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import type { Request } from 'express'
import session from 'express-session'
import fc from 'fast-check'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const storeWith = (options: Partial<RedisStoreOptions> = {}) => new RedisStore({ client, prefix, ...options })
const pttl = (sid: string) => client.pttl(prefix + sid)
const sessionCookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

afterAll(async () => {
  await storeWith().clear()
  await client.quit()
})

/** A live session, as express-session would make it for a request. */
function fresh(
  store: RedisStore,
  sid: string,
  options: session.CookieOptions = {},
): session.Session & session.SessionData {
  const req = { sessionID: sid, sessionStore: store } as unknown as Request
  const Cookie = session.Cookie as unknown as new (options: session.CookieOptions) => session.Cookie
  return store.createSession(req, { cookie: new Cookie(options) } as session.SessionData)
}

/** What express-session does at the end of a request that changed nothing. */
async function visit(store: RedisStore, sid: string): Promise<void> {
  const data = await store.get(sid)
  if (data === null) throw new Error('the session is gone')
  const live = store.createSession({ sessionID: sid, sessionStore: store } as unknown as Request, data)
  live.touch()
  await store.touch(sid, live)
}

describe('time to live', () => {
  test('a session cookie gets ttl, a cookie with maxAge gets its maxAge', async () => {
    const store = storeWith({ ttl: 100 })
    await store.set('plain', fresh(store, 'plain'))
    await store.set('long', fresh(store, 'long', { maxAge: 500_000 }))
    expect(await pttl('plain')).toBeGreaterThan(99_000)
    expect(await pttl('plain')).toBeLessThanOrEqual(100_000)
    expect(await pttl('long')).toBeGreaterThan(499_000)
    expect(await pttl('long')).toBeLessThanOrEqual(500_000)
  })

  test('ttl may be a function of the session, and what it returns for a session cookie counts', async () => {
    const store = storeWith({ ttl: (held) => ((held as { admin?: boolean }).admin ? 60 : 600) })
    await store.set('admin', { cookie: sessionCookie, admin: true } as never)
    await store.set('user', { cookie: sessionCookie } as never)
    expect(await pttl('admin')).toBeLessThanOrEqual(60_000)
    expect(await pttl('user')).toBeGreaterThan(590_000)
  })

  test('a ttl function that returns no number fails the save with a coded error, and one of 0 ends the session', async () => {
    const bad = storeWith({ ttl: () => Number.NaN })
    await expect(bad.set('bad', { cookie: sessionCookie } as never)).rejects.toMatchObject({
      code: 'ERR_SESSION_INVALID_TTL',
    })
    await storeWith().set('zero', { cookie: sessionCookie } as never)
    await storeWith({ ttl: () => 0 }).set('zero', { cookie: sessionCookie } as never)
    expect(await pttl('zero')).toBe(-2)
  })

  test('an unused session is gone after its idle timeout', async () => {
    const store = storeWith({ ttl: 0.05 })
    await store.set('idle', fresh(store, 'idle'))
    while ((await pttl('idle')) !== -2);
    expect(await store.get('idle')).toBeNull()
  })

  test('a save during a request that outlasted maxAge keeps a live session alive', async () => {
    // connect-redis computes a negative TTL from the stale cookie.expires, and destroys it
    const store = storeWith()
    const live = fresh(store, 'stale', { maxAge: 60_000 })
    await store.set('stale', live)
    live.cookie.expires = new Date(Date.now() - 5000)
    live.cookie.originalMaxAge = 60_000
    Object.assign(live, { changed: true })
    await store.set('stale', live)
    expect(await pttl('stale')).toBeGreaterThan(59_000)
  })

  test('cookie.expires of a loaded session is when it ends, and moves with each refresh', async () => {
    const store = storeWith({ touchInterval: 0 })
    await store.set('derived', fresh(store, 'derived', { maxAge: 60_000 }))
    const first = Date.parse(String((await store.get('derived'))?.cookie.expires))
    expect(Math.abs(first - (Date.now() + 60_000))).toBeLessThan(2000)
    // Redis counts in milliseconds.
    await sleep(2)
    await visit(store, 'derived')
    const second = Date.parse(String((await store.get('derived'))?.cookie.expires))
    expect(second).toBeGreaterThan(first)
    expect((await store.info('derived'))?.expiresAt?.getTime()).toBe(second)
  })
})

describe('sliding', () => {
  /** Makes a session older: both what it says of itself and what Redis counts down. */
  async function grow(sid: string, ms: number): Promise<void> {
    const [created = '', ...rest] = (await client.hget(`${prefix}${sid}`, '@'))?.split(' ') ?? []
    const older = (Number.parseInt(created, 36) - ms * 1000).toString(36)
    await client.hset(`${prefix}${sid}`, '@', [older, ...rest].join(' '))
    await client.pexpire(`${prefix}${sid}`, 1_000_000 - ms)
  }

  test('TTL is always in (ttl - touchInterval, ttl] after a visit, whatever its age was before', async () => {
    const ttl = 1000
    const touchInterval = 50
    const store = storeWith({ ttl, touchInterval })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 999_000 }), async (age) => {
        await store.set('slide', fresh(store, 'slide'))
        await grow('slide', age)
        await visit(store, 'slide')
        const left = await pttl('slide')
        // A machine that pauses between the commands may take 1 s.
        expect(left).toBeGreaterThan((ttl - touchInterval) * 1000 - 1000)
        expect(left).toBeLessThanOrEqual(ttl * 1000)
      }),
      { numRuns: 60 },
    )
  })

  test('touchInterval never exceeds half the idle timeout: a short session slides however it is set', async () => {
    const store = storeWith({ ttl: 1000, touchInterval: 3600 })
    await store.set('short', fresh(store, 'short'))
    await grow('short', 510_000)
    await visit(store, 'short')
    expect(await pttl('short')).toBeGreaterThan(900_000)
  })

  test('a clock behind that of Redis refreshes rather than letting an active session end', async () => {
    const store = storeWith({ ttl: 100 })
    await store.set('skew', fresh(store, 'skew'))
    await client.pexpire(`${prefix}skew`, 1000)
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 600_000)
    await visit(store, 'skew')
    jest.restoreAllMocks()
    expect(await pttl('skew')).toBeGreaterThan(90_000)
  })

  test('disableTouch leaves the TTL alone on reading, and refreshes it on saving', async () => {
    const store = storeWith({ ttl: 100, disableTouch: true })
    await store.set('fixed', fresh(store, 'fixed'))
    await client.pexpire(`${prefix}fixed`, 1000)
    await visit(store, 'fixed')
    expect(await pttl('fixed')).toBeLessThanOrEqual(1000)
    const held = await store.get('fixed')
    await store.set('fixed', Object.assign(held as object, { n: 1 }) as never)
    expect(await pttl('fixed')).toBeGreaterThan(90_000)
  })

  test('disableTTL keeps a session without TTL, and info says that it never ends', async () => {
    const store = storeWith({ disableTTL: true })
    await store.set('forever', fresh(store, 'forever'))
    expect(await pttl('forever')).toBe(-1)
    await visit(store, 'forever')
    expect((await store.info('forever'))?.expiresAt).toBeNull()
    await store.destroy('forever')
  })
})

describe('absoluteTimeout', () => {
  test('no visit and no save moves the deadline, and the key ends with it', async () => {
    const store = storeWith({ ttl: 100, absoluteTimeout: 1, touchInterval: 0 })
    await store.set('bound', fresh(store, 'bound'))
    const { createdAt, expiresAt } = (await store.info('bound')) ?? {}
    expect(Number(expiresAt) - Number(createdAt)).toBe(1000)
    let visits = 0
    while ((await store.get('bound')) !== null) {
      await visit(store, 'bound').catch(() => undefined)
      await store.patch('bound', { visits: ++visits })
      expect(await pttl('bound')).toBeLessThanOrEqual(1000)
    }
    expect(visits).toBeGreaterThan(1)
    expect(Date.now() - Number(createdAt)).toBeGreaterThanOrEqual(999)
  })

  test('a session already past a deadline that was set later ends at its next refresh', async () => {
    const store = storeWith({ ttl: 100 })
    const live = fresh(store, 'past')
    await store.set('past', live)
    await new Promise((resolve) => setTimeout(resolve, 15))
    await visit(storeWith({ ttl: 100, touchInterval: 0, absoluteTimeout: 0.01 }), 'past')
    expect(await pttl('past')).toBe(-2)
  })
})
