import { createServer, type Server } from 'node:http'
import {
  type DestroyByOptions,
  RedisStore,
  type RedisStoreOptions,
  renewSession,
  rotateSession,
} from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

// A thief has a session of Ada's and uses it all the time, in such a way that its id, or where it is kept, changes. Ada
// logs out everywhere, in another process: whatever the order, the thief is nobody afterwards.

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const TRIES = Number(process.env.LOG_OUT_TRIES ?? 100)
const SECRET = 'keyboard cat'
const clients = [connect(), connect()]
const [client, other] = clients as [(typeof clients)[0], (typeof clients)[0]]
const servers: Server[] = []
const indexes = { user: (held: Bag) => held.user }

jest.setTimeout(Math.max(300_000, 60_000 + TRIES * 300))

afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  for (const one of clients) await one.quit()
})

function serverOn(store: RedisStore): Server {
  const app = express()
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }))
  app.use(renewSession({ every: 0.002, grace: 0.001 }))
  app.get('/in', (req, res) => {
    Object.assign(req.session, { user: 'ada', n: 0 })
    res.end()
  })
  app.get('/rotate', (req, res, next) => {
    rotateSession(req).then((isDone) => res.end(String(isDone)), next)
  })
  app.get('/save', (req, res) => {
    if ((req.session as Bag).user) (req.session as Bag).n += 1
    res.end()
  })
  app.get('/who', (req, res) => {
    res.end(String((req.session as Bag | undefined)?.user))
  })
  const server = createServer(app).listen(0)
  servers.push(server)
  return server
}

interface Thief {
  /** The path that the thief asks for, again and again. */
  path: string
  /** Options of the process that serves the thief. */
  options?: Partial<RedisStoreOptions>
  /** Options of the process that made the session. */
  before?: Partial<RedisStoreOptions>
  /** The session is one of connect-redis. */
  isString?: boolean
  destroyBy?: DestroyByOptions
}

const thieves: Record<string, Thief> = {
  'gets another id with every request': { path: '/rotate' },
  'gets another id with every request, where the number of sessions is limited': {
    path: '/rotate',
    options: { limit: { index: 'user', max: 2, onExceed: 'evict' } },
  },
  'gets another id with every request, and the index is lost': { path: '/rotate', destroyBy: { thorough: true } },
  'has their id renewed with every request': { path: '/save' },
  "has a session of connect-redis's that is converted": {
    path: '/save',
    isString: true,
    destroyBy: { thorough: true },
  },
  "has a session of connect-redis's that gets another id": {
    path: '/rotate',
    isString: true,
    destroyBy: { thorough: true },
  },
  'has a session that moves to another "hashIds" secret': {
    path: '/save',
    options: { hashIds: ['new', 'old'] },
    before: { hashIds: ['old'] },
  },
  'has a session that moves to another "hashIds" secret, and gets another id': {
    path: '/rotate',
    options: { hashIds: ['new', 'old'] },
    before: { hashIds: ['old'] },
  },
}

test.each(Object.entries(thieves))('a thief who %s is nobody once destroyBy has resolved', async (_name, thief) => {
  const prefix = freshPrefix()
  const own = { prefix, indexes, touchInterval: 0, timeout: 20_000 }
  const thiefs = new RedisStore({ client, ...own, ...thief.options })
  const hers = new RedisStore({ client: other, ...own, ...thief.options })
  const [first, server] = [serverOn(new RedisStore({ client, ...own, ...thief.before })), serverOn(thiefs)]
  let survivors = 0
  let used = 0
  for (let i = 0; i < TRIES; i++) {
    const visitor = new Visitor(first)
    if (thief.isString) {
      const text = JSON.stringify({ cookie: { path: '/', originalMaxAge: null }, user: 'ada', n: 0 })
      await client.set(`${prefix}s${i}`, text, 'EX', 600)
      visitor.cookie = `connect.sid=${encodeURIComponent(`s:${sign(`s${i}`, SECRET)}`)}`
    } else {
      await visitor.get('/in')
    }
    if (thief.destroyBy && !thief.isString) await client.del(`idx:${prefix}user:ada`)
    const stealing = new Visitor(server, visitor.cookie)
    let isOver = false
    const use = async () => {
      while (!isOver) {
        await stealing.get(thief.path)
        used += 1
      }
    }
    const using = use()
    await new Promise((resolve) => setTimeout(resolve, Math.random() * (i % 2 ? 4 : 20)))
    await hers.destroyBy('user', 'ada', thief.destroyBy)
    isOver = true
    await using
    const who = (await stealing.get('/who')).text
    if (who === 'ada' || (await thiefs.findBy('user', 'ada')).length > 0) survivors += 1
    await hers.destroyBy('user', 'ada', { thorough: true })
  }
  expect(survivors).toBe(0)
  expect(used).toBeGreaterThanOrEqual(TRIES)
  await thiefs.clear()
})

test('a session that is to stay, and gets another id at the same moment, stays', async () => {
  const prefix = freshPrefix()
  const store = new RedisStore({ client, prefix, indexes })
  const others = new RedisStore({ client: other, prefix, indexes })
  const app = express()
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }))
  app.get('/in', (req, res) => {
    Object.assign(req.session, { user: 'ada' })
    res.end()
  })
  app.get('/password', async (req, res) => {
    if (req.query.first === 'rotate') await rotateSession(req)
    const rest = others.destroyBy('user', 'ada', { except: req.sessionID })
    if (req.query.first !== 'rotate') await rotateSession(req)
    res.end(String(await rest))
  })
  app.get('/who', (req, res) => {
    res.end(String((req.session as Bag).user))
  })
  const server = createServer(app).listen(0)
  servers.push(server)
  for (const first of ['rotate', 'both']) {
    for (let i = 0; i < TRIES; i++) {
      const [visitor, phone] = [new Visitor(server), new Visitor(server)]
      await Promise.all([visitor.get('/in'), phone.get('/in')])
      expect([i, (await visitor.get(`/password?first=${first}`)).text]).toEqual([i, '1'])
      expect([i, (await visitor.get('/who')).text, (await phone.get('/who')).text]).toEqual([i, 'ada', 'undefined'])
      await others.destroyBy('user', 'ada')
    }
  }
})
