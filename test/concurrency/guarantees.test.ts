import { createServer, type Server } from 'node:http'
import { RedisStore } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { type Gate, gate } from '../support/gate.js'
import { CACHE, isCaching } from '../support/near-cache.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

describe.each([
  ['a store', {}],
  ['a store with a near cache', { cache: CACHE }],
])('%s', (_name, options) => {
  const client = connect()
  const prefix = freshPrefix()
  const store = new RedisStore({ client, prefix, ...options })
  let slow: Gate
  let server: Server

  function appWith(sessions: RedisStore): express.Express {
    const app = express()
    app.use(session({ store: sessions, secret: 's', resave: false, saveUninitialized: false }))
    app.use(routes)
    return app
  }

  const routes = express.Router()
  routes.get('/put/:name/:value', (req, res) => {
    ;(req.session as Bag)[req.params.name] = req.params.value
    res.end('ok')
  })
  routes.get('/drop/:name', (req, res) => {
    delete (req.session as Bag)[req.params.name]
    res.end('ok')
  })
  routes.get('/slow/put/:name/:value', async (req, res) => {
    await slow.wait()
    ;(req.session as Bag)[req.params.name] = req.params.value
    res.end('ok')
  })
  routes.get('/slow/read', async (_req, res) => {
    await slow.wait()
    res.end('ok')
  })
  routes.get('/slow/reload/:name/:value', async (req, res) => {
    await slow.wait()
    req.session.reload((err) => {
      if (err) {
        res.status(410).end('gone')
        return
      }
      ;(req.session as Bag)[req.params.name] = req.params.value
      res.end('ok')
    })
  })
  routes.get('/slow/save-twice', async (req, res) => {
    const bag = req.session as Bag
    bag.first = 1
    req.session.save(() => {
      void slow.wait().then(() => {
        bag.second = 2
        delete bag.first
        res.end('ok')
      })
    })
  })
  routes.get('/slow/save-late', async (req, res) => {
    await slow.wait()
    ;(req.session as Bag).first = 1
    req.session.save(() => res.end('ok'))
  })
  routes.get('/logout', (req, res) => {
    req.session.destroy(() => res.end('bye'))
  })
  routes.get('/regenerate', (req, res) => {
    req.session.regenerate((err) => {
      if (err) {
        res.status(503).end(String(req.session?.id))
        return
      }
      ;(req.session as Bag).fresh = true
      res.end('ok')
    })
  })
  routes.get('/remember', (req, res) => {
    req.session.cookie.maxAge = 30 * 86_400_000
    res.end('ok')
  })
  routes.get('/show', (req, res) => {
    res.json(req.session)
  })

  beforeAll(async () => {
    if (store.cacheStats !== undefined) await isCaching(store, { client })
    server = createServer(appWith(store))
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
  })
  beforeEach(() => {
    slow = gate()
  })
  afterAll(async () => {
    server.close()
    await store.clear()
    if (store.cacheStats !== undefined) expect(store.cacheStats.hits).toBeGreaterThan(5)
    await store.close()
    await client.quit()
  })

  async function loggedIn(): Promise<Visitor> {
    const visitor = new Visitor(server)
    await visitor.get('/put/user/ada')
    return visitor
  }

  describe('no lost update', () => {
    test('200 parallel requests, each writing its own property: all 200 survive', async () => {
      const visitor = await loggedIn()
      await Promise.all(Array.from({ length: 200 }, (_, i) => visitor.get(`/put/p${i}/${i}`)))
      const stored = (await store.read(visitor.sid)) as Bag
      for (let i = 0; i < 200; i++) expect(stored[`p${i}`]).toBe(String(i))
      expect(stored.user).toBe('ada')
    })

    test('a slow request that writes after a fast one keeps what the fast one wrote', async () => {
      const visitor = await loggedIn()
      const pending = visitor.get('/slow/put/slow/1')
      await slow.reached
      await visitor.get('/put/fast/1')
      slow.open()
      await pending
      expect(await store.read(visitor.sid, ['slow', 'fast', 'user'])).toEqual({ slow: '1', fast: '1', user: 'ada' })
    })

    test('a property removed by one request stays removed when a slower one saves another', async () => {
      const visitor = await loggedIn()
      await visitor.get('/put/gone/1')
      const pending = visitor.get('/slow/put/other/1')
      await slow.reached
      await visitor.get('/drop/gone')
      slow.open()
      await pending
      expect(await store.read(visitor.sid, ['gone', 'other'])).toEqual({ other: '1' })
    })

    test('reload sees what others wrote, and the save after it keeps that', async () => {
      const visitor = await loggedIn()
      const pending = visitor.get('/slow/reload/mine/1')
      await slow.reached
      await visitor.get('/put/theirs/1')
      slow.open()
      expect((await pending).text).toBe('ok')
      expect(await store.read(visitor.sid, ['mine', 'theirs'])).toEqual({ mine: '1', theirs: '1' })
    })

    test('save in the middle of a request and again at its end: both land, others survive, removals too', async () => {
      const visitor = await loggedIn()
      const pending = visitor.get('/slow/save-twice')
      await slow.reached
      expect(await store.read(visitor.sid, ['first'])).toEqual({ first: 1 })
      await visitor.get('/put/theirs/1')
      slow.open()
      await pending
      expect(await store.read(visitor.sid, ['first', 'second', 'theirs'])).toEqual({ second: 2, theirs: '1' })
    })

    test('store.get, change, store.set in two places at once: both changes survive', async () => {
      const visitor = await loggedIn()
      const [a, b] = (await Promise.all([store.get(visitor.sid), store.get(visitor.sid)])) as [Bag, Bag]
      a.fromA = 1
      b.fromB = 2
      await Promise.all([store.set(visitor.sid, a), store.set(visitor.sid, b)])
      expect(await store.read(visitor.sid, ['fromA', 'fromB'])).toEqual({ fromA: 1, fromB: 2 })
    })

    test('overlapping saves of one session object leave what it held last', async () => {
      const visitor = await loggedIn()
      const one = (await store.get(visitor.sid)) as Bag
      one.x = 1
      const first = store.set(visitor.sid, one)
      delete one.x
      one.y = 1
      await Promise.all([first, store.set(visitor.sid, one)])
      expect(await store.read(visitor.sid, ['x', 'y'])).toEqual({ y: 1 })
    })

    test('patch and increment lose nothing against 50 parallel saves', async () => {
      const visitor = await loggedIn()
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          await Promise.all([
            visitor.get(`/put/q${i}/1`),
            store.increment(visitor.sid, 'n'),
            store.patch(visitor.sid, { [`r${i}`]: 1 }),
          ])
        }),
      )
      const stored = (await store.read(visitor.sid)) as Bag
      expect(stored.n).toBe(50)
      expect(Object.keys(stored).filter((name) => /^[qr]\d/.test(name))).toHaveLength(100)
    })
  })

  describe('no resurrection', () => {
    test.each([
      ['writes', '/slow/put/late/1'],
      ['only reads', '/slow/read'],
      ['saved before and saves again', '/slow/save-twice'],
      ['reloads', '/slow/reload/late/1'],
    ])('a request that %s and ends after logout leaves nothing in Redis', async (_what, path) => {
      const visitor = await loggedIn()
      const { sid } = visitor
      const pending = visitor.get(path)
      await slow.reached
      await visitor.get('/logout')
      slow.open()
      await pending
      expect(await client.exists(prefix + sid)).toBe(0)
    })

    test('a refused save is no error: the response goes out, and a refused event says so', async () => {
      const visitor = await loggedIn()
      const refused = new Promise<unknown>((resolve) => {
        store.once('refused', resolve)
      })
      const pending = visitor.get('/slow/put/late/1')
      await slow.reached
      await visitor.get('/logout')
      slow.open()
      expect((await pending).status).toBe(200)
      expect(await refused).toMatchObject({ operation: 'save' })
    })

    test('a session that expired meanwhile is not brought back', async () => {
      const visitor = await loggedIn()
      const pending = visitor.get('/slow/put/late/1')
      await slow.reached
      await client.pexpire(prefix + visitor.sid, 1)
      while ((await client.exists(prefix + visitor.sid)) === 1);
      slow.open()
      await pending
      expect(await client.exists(prefix + visitor.sid)).toBe(0)
    })

    test('a session created anew under the same id is not touched by a request of the old one', async () => {
      const visitor = await loggedIn()
      const stale = (await store.get(visitor.sid)) as Bag
      await store.destroy(visitor.sid)
      await store.set(visitor.sid, { cookie: { originalMaxAge: null }, user: 'bob' })
      stale.user = 'ada again'
      await store.set(visitor.sid, stale)
      await store.touch(visitor.sid, { ...stale, cookie: { originalMaxAge: null } })
      expect(await store.read(visitor.sid, ['user'])).toEqual({ user: 'bob' })
    })

    test('patch, increment and touch of an absent session write nothing', async () => {
      expect(await store.patch('absent', { a: 1 })).toBe(false)
      expect(await store.increment('absent', 'a')).toBeNull()
      await store.touch('absent', { cookie: { originalMaxAge: 1000 } })
      expect(await client.exists(`${prefix}absent`)).toBe(0)
    })

    test('a request that held the old id while another regenerated leaves only the new session', async () => {
      const visitor = await loggedIn()
      const old = visitor.sid
      const late = new Visitor(server, visitor.cookie)
      const pending = late.get('/slow/put/late/1')
      await slow.reached
      await visitor.get('/regenerate')
      slow.open()
      await pending
      expect(await client.exists(prefix + old)).toBe(0)
      expect(await store.read(visitor.sid, ['fresh', 'late', 'user'])).toEqual({ fresh: true })
    })
  })

  describe('other guarantees', () => {
    test('a plain set of something never loaded replaces all properties and keeps the time of creation', async () => {
      await store.set('plain', { cookie: { originalMaxAge: null }, a: 1, b: 2 })
      const before = await store.info('plain')
      await store.set('plain', { cookie: { originalMaxAge: null }, c: 3 })
      expect(await store.read('plain', ['a', 'b', 'c'])).toEqual({ c: 3 })
      expect((await store.info('plain'))?.createdAt).toEqual(before?.createdAt)
    })

    test('two requests that change the same property: the last save wins and a conflict event names it', async () => {
      const visitor = await loggedIn()
      const conflict = new Promise<unknown>((resolve) => {
        store.once('conflict', resolve)
      })
      const pending = visitor.get('/slow/put/name/slow')
      await slow.reached
      await visitor.get('/put/name/fast')
      slow.open()
      await pending
      expect(await conflict).toMatchObject({ properties: ['name'] })
      expect(await store.read(visitor.sid, ['name'])).toEqual({ name: 'slow' })
    })

    test('changes of different properties, or to the same value, are no conflict', async () => {
      const visitor = await loggedIn()
      const before = store.counters.conflict
      const pending = visitor.get('/slow/put/name/same')
      await slow.reached
      await visitor.get('/put/other/1')
      await visitor.get('/put/name/same')
      slow.open()
      await pending
      expect(store.counters.conflict).toBe(before)
    })

    test('regenerate whose destroy fails reports it and leaves the old session in place', async () => {
      const visitor = await loggedIn()
      const { sid } = visitor
      await client.call('ACL', 'SETUSER', 'no-del', 'on', '>pw', '~*', '+@all', '-del')
      const forbidden = connect({ username: 'no-del', password: 'pw' })
      const unable = new Visitor(appWith(new RedisStore({ client: forbidden, prefix })), visitor.cookie)
      const response = await unable.get('/regenerate')
      await forbidden.quit()
      expect(response.status).toBe(503)
      expect(response.text).toBe(sid)
      expect((await visitor.get('/show')).body.user).toBe('ada')
    })

    test('a request that changes only cookie.maxAge ("remember me") is written, with the TTL that belongs to it', async () => {
      const visitor = await loggedIn()
      await visitor.get('/remember')
      expect(await client.pttl(prefix + visitor.sid)).toBeGreaterThan(29 * 86_400_000)
      const { originalMaxAge } = (await store.get(visitor.sid))?.cookie ?? {}
      // express-session reads the clock twice for one maxAge.
      expect(Math.abs((originalMaxAge ?? 0) - 30 * 86_400_000)).toBeLessThan(5)
    })

    test('a slow request that saves by itself does not undo a "remember me" of meanwhile', async () => {
      const visitor = await loggedIn()
      const pending = visitor.get('/slow/save-late')
      await slow.reached
      await visitor.get('/remember')
      slow.open()
      await pending
      expect((await visitor.get('/show')).body).toMatchObject({ first: 1 })
      expect(await client.pttl(prefix + visitor.sid)).toBeGreaterThan(29 * 86_400_000)
    })

    test('no key of all these is left without a TTL', async () => {
      const keys = await client.keys(`${prefix}*`)
      expect(keys.length).toBeGreaterThan(5)
      for (const key of keys) expect(await client.pttl(key)).toBeGreaterThan(0)
    })
  })
})
