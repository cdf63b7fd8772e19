import { randomBytes } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore, type RedisStoreOptions, rotateOnLogin, rotateSession } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import fc from 'fast-check'
import { bookkeeping } from '../support/raw-session.js'
import { connect, freshPrefix } from '../support/redis.js'
import { unlessStalled } from '../support/unless-stalled.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
let current: RequestListener
let server: Server

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

beforeAll(() => {
  server = createServer((req, res) => current(req, res)).listen(0)
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await new RedisStore({ client, prefix }).clear()
  await client.quit()
})

/** The server goes on with an application whose store has these options. */
function serve(options: Partial<RedisStoreOptions>): RedisStore {
  const store = new RedisStore({ client, prefix, ...options })
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(rotateOnLogin({ principal: (held) => (held as Bag).user }))
  app.get('/show', (req, res) => {
    res.json({ user: (req.session as Bag).user ?? null })
  })
  app.get('/put', (req, res) => {
    ;(req.session as Bag).puts = ((req.session as Bag).puts ?? 0) + 1
    res.json({ user: (req.session as Bag).user ?? null })
  })
  app.get('/login', (req, res) => {
    ;(req.session as Bag).user = 'ada'
    res.end()
  })
  app.get('/again', (req, res, next) => {
    const { user = null } = req.session as Bag
    rotateSession(req).then(() => res.json({ user }), next)
  })
  current = app
  return store
}

const pttl = (sid: string) => client.pttl(prefix + sid)
const cookieOf = (sid: string) => `connect.sid=${encodeURIComponent(`s:${sign(sid, 's')}`)}`

describe('idle timeout', () => {
  test('a visitor who keeps coming stays logged in far past it, and is anonymous once they stay away for longer', async () => {
    const idleMs = 1000
    serve({ ttl: idleMs / 1000 })
    await unlessStalled(idleMs / 4, async () => {
      const visitor = new Visitor(server)
      await visitor.get('/login')
      for (const start = Date.now(); Date.now() - start < 4 * idleMs; await sleep(idleMs / 8)) {
        expect((await visitor.get('/show')).body.user).toBe('ada')
      }
      const left = performance.now()
      expect((await visitor.get('/show')).body.user).toBe('ada')
      while ((await pttl(visitor.sid)) !== -2) await sleep(2)
      const awayMs = performance.now() - left
      expect(awayMs).toBeGreaterThan(idleMs / 2)
      expect(awayMs).toBeLessThan(idleMs + 1000)
      const response = await visitor.get('/show')
      expect(response.body.user).toBeNull()
      expect(response.headers['set-cookie']).toBeUndefined()
    })
  })

  test('any ttl, touchInterval, deadline and age: after a request TTL is in (ttl - touchInterval, ttl], or ends at the deadline', async () => {
    const sid = 'of-any-age'
    await fc.assert(
      fc.asyncProperty(
        fc.record(
          {
            ttl: fc.integer({ min: 10, max: 1_000_000 }),
            part: fc.double({ min: 0, max: 1, noNaN: true }),
            touchInterval: fc.integer({ min: 0, max: 2_000_000 }),
            absoluteTimeout: fc.integer({ min: 10, max: 2_000_000 }),
            path: fc.constantFrom('/show', '/put'),
          },
          { requiredKeys: ['ttl', 'part', 'path'] },
        ),
        async ({ ttl, part, touchInterval, absoluteTimeout, path }) => {
          const limits = { ttl, ...(touchInterval === undefined ? {} : { touchInterval }) }
          serve(absoluteTimeout === undefined ? limits : { ...limits, absoluteTimeout })
          // The session has at least five seconds left, so that it is still there however busy this machine is.
          const ageMs = Math.floor(part * (Math.min(ttl, absoluteTimeout ?? ttl) * 1000 - 5000))
          const began = Date.now() - ageMs
          const key = prefix + sid
          await client.del(key)
          await client.hset(key, '@', bookkeeping({ createdAt: began, idleMs: ttl * 1000 }), 'user', '"ada"')
          const sent = performance.now()
          const deadline = began + (absoluteTimeout ?? Number.POSITIVE_INFINITY) * 1000
          await client.pexpire(key, Math.min(ttl * 1000 - ageMs, deadline - Date.now()))

          expect((await new Visitor(server, cookieOf(sid)).get(path)).body.user).toBe('ada')
          const left = await pttl(sid)
          const tookMs = performance.now() - sent + 5

          const toDeadline = deadline - Date.now()
          const interval = Math.min(touchInterval ?? Math.min(60, ttl / 20), ttl / 2) * 1000
          const least = Math.min(ttl * 1000 - interval, toDeadline)
          expect(left).toBeGreaterThan(least - tookMs)
          expect(left).toBeLessThanOrEqual(Math.min(ttl * 1000, toDeadline + tookMs))
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe.each(['connect-redis', 'this store'])(
  'a session that %s wrote, and whose lifetime one request changes while another one has it',
  (origin) => {
    const days = (n: number) => n * 86_400_000

    function live(store: RedisStore, data: session.SessionData): Bag {
      return store.createSession({ sessionID: 'remembered', sessionStore: store } as unknown as express.Request, data)
    }

    test.each([
      ['only reads', days(30), 60_000, 0, false],
      ['saves', days(30), 60_000, 0, true],
      ['only reads', 60_000, days(30), 0, false],
      ['saves', 60_000, days(30), 0, true],
      // express-session reads the clock twice for one maxAge: a lifetime nobody changed may come out short.
      ['only reads', days(30), 60_000, 1, false],
      ['saves', days(30), 60_000, 1, true],
      ['only reads', 60_000, days(30), 1, false],
      ['saves', 60_000, days(30), 1, true],
    ])(
      'keeps the new lifetime when the other one %s: from %d ms to %d ms, its own %d ms short',
      async (_name, before, after, short, saves) => {
        const store = new RedisStore({ client, prefix, touchInterval: 0 })
        const cookie = { path: '/', originalMaxAge: before, expires: new Date(Date.now() + before) }
        await client.del(`${prefix}remembered`)
        if (origin === 'this store') await store.set('remembered', live(store, { cookie, user: 'ada' } as never))
        else await client.set(`${prefix}remembered`, JSON.stringify({ cookie, user: 'ada' }), 'EX', 600)
        const slow = live(store, (await store.get('remembered')) as never)
        const fast = live(store, (await store.get('remembered')) as never)
        fast.cookie.maxAge = after
        const set = fast.cookie.originalMaxAge
        await store.set('remembered', fast)
        // express-session does this at the end of a request.
        slow.touch()
        slow.cookie.originalMaxAge = before - short
        if (saves) slow.late = 1
        await store[saves ? 'set' : 'touch']('remembered', slow)
        const left = await pttl('remembered')
        expect(left).toBeLessThanOrEqual(after)
        expect(left).toBeGreaterThan(after - 5000)
        expect((await store.get('remembered'))?.cookie.originalMaxAge).toBe(set)
      },
    )
  },
)

/** Milliseconds that the visits of one round take here and now. */
async function timeOfRound(options: Partial<RedisStoreOptions>): Promise<number> {
  const store = serve({ ttl: 100, touchInterval: 0, ...options })
  const visitor = new Visitor(server)
  await visitor.get('/login')
  const start = performance.now()
  for (const path of ['/show', '/put', '/again']) {
    await visitor.get(path)
    await store.info(visitor.sid)
  }
  return performance.now() - start
}

describe('absolute timeout', () => {
  test.each<[string, Partial<RedisStoreOptions>]>([
    ['plain', {}],
    ['hashed ids and encryption', { hashIds: 'secret', encryption: { keys: [randomBytes(32)] } }],
  ])(
    'nothing keeps a session alive past its deadline: no visit, no save, no login, no new id (%s)',
    async (_name, more) => {
      const roundMs = await timeOfRound(more)
      /** Lives a session until its deadline, in rounds. @returns all ids that it had */
      const live = async (limitMs: number): Promise<Set<string>> => {
        const store = serve({ ttl: 100, absoluteTimeout: limitMs / 1000, touchInterval: 0, ...more })
        const visitor = new Visitor(server)
        await visitor.get('/put')
        const began = Number((await store.info(visitor.sid))?.createdAt)
        await sleep(limitMs / 3)
        await visitor.get('/login')
        const ids = new Set<string>()
        let user: string | null = 'ada'
        while (user !== null) {
          for (const path of ['/show', '/put', '/again']) {
            ids.add(visitor.sid)
            if (user !== null) user = (await visitor.get(path)).body.user
            const info = await store.info(visitor.sid)
            if (info !== null && user !== null) expect(Number(info.expiresAt) - began).toBe(limitMs)
          }
          expect(Date.now() - began).toBeLessThan(limitMs + 2000 + 3 * roundMs)
        }
        expect(Date.now() - began).toBeGreaterThanOrEqual(limitMs - 5)
        for (const sid of ids)
          expect(await store.exists(sid)).toBe(sid === visitor.sid && (await hasNoUser(store, sid)))
        return ids
      }
      // It lives long enough for several rounds, and longer if the machine has become slower since.
      let limitMs = Math.max(1200, Math.ceil(12 * roundMs))
      let ids = new Set<string>()
      for (let attempt = 0; attempt < 4 && ids.size <= 3; attempt++, limitMs *= 2)
        await unlessStalled(limitMs / 6, async () => {
          ids = await live(limitMs)
        })
      // Until then its id was renewed again and again.
      expect(ids.size).toBeGreaterThan(3)
    },
  )
})

/** A request after the end begins a new session, of nobody. */
async function hasNoUser(store: RedisStore, sid: string): Promise<boolean> {
  const held = await store.read(sid, ['user'])
  return held !== null && held.user === undefined
}
