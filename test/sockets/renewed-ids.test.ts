import { EventEmitter, once } from 'node:events'
import { createServer, type Server as HttpServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  loadSession,
  RedisStore,
  type RedisStoreOptions,
  renewSession,
  requireFreshLogin,
  rotateOnLogin,
  saveBeforeResponse,
} from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session, { type Session } from 'express-session'
import { Server as SocketServer } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const SECRET = 's'
const client = connect()
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => client.quit())

/**
 * Reloads a session as applications do in a timer or at a message. Resolves with what it holds; null if it cannot be
 * reloaded.
 */
function reload(req: { session: Session }): Promise<Bag> {
  return new Promise((resolve) => {
    req.session.reload((err) => resolve(err ? null : { ...req.session }))
  })
}
const save = (held: Session) =>
  new Promise<void>((resolve, reject) => held.save((err) => (err ? reject(err) : resolve())))

interface Site {
  store: RedisStore
  prefix: string
  port: number
  visitor: Visitor
  /** The request of each stream and socket, as the application has it, once it is open. */
  open: EventEmitter
}

/**
 * A site where every response carries the next id, and an id is out of date once a request has come with the next one.
 */
async function site(options: Partial<RedisStoreOptions> = {}, renewal = { every: 0, grace: 0 }): Promise<Site> {
  const prefix = freshPrefix()
  const store = new RedisStore({ client, prefix, ...options })
  const open = new EventEmitter()
  const sessions = session({ store, secret: SECRET, resave: false, saveUninitialized: false })
  const app = express()
  app.use(sessions, rotateOnLogin({ principal: (held) => held.userId }))
  app.use(renewSession(renewal), saveBeforeResponse())
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  app.get('/', (req, res) => {
    res.json(req.session)
  })
  app.get('/set/:mood', (req, res) => {
    Object.assign(req.session, { mood: req.params.mood })
    res.end()
  })
  app.get('/events', (req, res) => {
    res.setHeader('Content-Type', 'text/event-stream')
    res.flushHeaders()
    open.emit('stream', req)
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.end()))
  })
  const server = createServer(app)
  const sockets = new SocketServer(server)
  sockets.engine.use(sessions)
  sockets.on('connection', (socket) => open.emit('socket', socket.request))
  await once(server.listen(0), 'listening')
  closing.push(async () => {
    await sockets.close()
    server.closeAllConnections()
    await store.clear()
    await store.close()
  })
  return {
    store,
    prefix,
    port: (server.address() as AddressInfo).port,
    visitor: new Visitor(server as HttpServer),
    open,
  }
}

type Held = IncomingMessage & { session: Session & Bag; sessionID: string }

const CONNECTIONS: Record<string, (at: Site) => Promise<Held>> = {
  'a socket of Socket.IO': async ({ port, visitor, open }) => {
    const socket: Socket = io(`http://127.0.0.1:${port}`, {
      extraHeaders: { cookie: visitor.cookie },
      transports: ['websocket'],
      reconnection: false,
    })
    closing.push(() => socket.disconnect())
    return (await once(open, 'socket'))[0]
  },
  'a socket of Socket.IO that began by polling': async ({ port, visitor, open }) => {
    const socket: Socket = io(`http://127.0.0.1:${port}`, {
      extraHeaders: { cookie: visitor.cookie },
      reconnection: false,
    })
    closing.push(() => socket.disconnect())
    return (await once(open, 'socket'))[0]
  },
  'an event stream': async ({ port, visitor, open }) => {
    const sent = httpRequest({ port, path: '/events', headers: { cookie: visitor.cookie } }).end()
    sent.on('error', () => undefined)
    closing.push(() => sent.destroy())
    return (await once(open, 'stream'))[0]
  },
}

/** Several renewals, each confirmed: the id that the visitor had before is older than any grace. */
async function renewals(visitor: Visitor): Promise<void> {
  const before = visitor.cookie
  for (let i = 0; i < 4; i++) await visitor.get('/')
  expect(visitor.cookie).not.toBe(before)
}

const STORES: Record<string, () => Partial<RedisStoreOptions>> = {
  'as it is': () => ({}),
  'with hashed ids': () => ({ hashIds: true }),
  'with a near cache': () => ({ cache: { max: 10, maxAge: 60 } }),
  'with validate': () => ({ validate: (held) => (held as Bag).mood !== 'banned' }),
}

describe.each(Object.entries(CONNECTIONS))('%s', (_connection, open) => {
  test.each(Object.entries(STORES))(
    'reloads and saves its session after renewals (store %s)',
    async (_store, options) => {
      const at = await site(options())
      await at.visitor.get('/login')
      const req = await open(at)
      expect(await reload(req)).toMatchObject({ userId: 'ada' })
      for (const mood of ['gay', 'sad']) {
        await renewals(at.visitor)
        await at.visitor.get(`/set/${mood}`)
        expect(await reload(req)).toMatchObject({ userId: 'ada', mood })
        req.session[`seen ${mood}`] = true
        await save(req.session)
        expect((await at.visitor.get('/')).body).toMatchObject({ mood, [`seen ${mood}`]: true })
      }
      expect(at.store.counters.reuse).toBe(0)
    },
  )

  test('has no fresh login once its id is out of date', async () => {
    const at = await site()
    await at.visitor.get('/login')
    const req = await open(at)
    const check = () =>
      new Promise((resolve) => requireFreshLogin({ within: 300 })(req, {} as never, (err) => resolve(err ?? 'fresh')))
    await reload(req)
    expect(await check()).toBe('fresh')
    await renewals(at.visitor)
    await reload(req)
    expect(await check()).toMatchObject({ code: 'ERR_SESSION_LOGIN_NOT_FRESH' })
  })

  test.each<[string, (at: Site) => unknown]>([
    ['its user logs out', ({ visitor }) => visitor.get('/logout')],
    ['it is destroyed', ({ store, visitor }) => store.destroy(visitor.sid)],
    ['all sessions are cleared', ({ store }) => store.clear()],
    ['validate refuses it', ({ visitor }) => visitor.get('/set/banned')],
    [
      'another session has taken the place under its id',
      async ({ store, visitor }) => {
        const [first = ''] = visitor.sid.split('~')
        await store.destroy(first)
        await store.set(first, { cookie: {}, userId: 'eve' })
        // Eve's session is renewed, so that the id of the connection is not the current one of that session.
        const app = express()
        app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }))
        app.use(renewSession({ every: 0, grace: 0 }))
        app.get('/', (_req, res) => void res.end())
        const eve = new Visitor(
          app,
          visitor.cookie.replace(/=.*/, `=${encodeURIComponent(`s:${sign(first, SECRET)}`)}`),
        )
        for (let i = 0; i < 3; i++) await eve.get('/')
      },
    ],
  ])('cannot reload it once %s', async (_how, end) => {
    const at = await site({ validate: (held) => (held as Bag).mood !== 'banned' })
    await at.visitor.get('/login')
    const req = await open(at)
    await renewals(at.visitor)
    expect(await reload(req)).toMatchObject({ userId: 'ada' })
    await end(at)
    expect(await reload(req)).toBeNull()
  })

  test('lets no new request in with its id, and that one ends the session for all', async () => {
    const at = await site()
    await at.visitor.get('/login')
    const thief = new Visitor(`http://127.0.0.1:${at.port}` as never, at.visitor.cookie)
    const req = await open(at)
    await renewals(at.visitor)
    expect(await reload(req)).not.toBeNull()
    expect(await at.store.get(thief.sid)).toBeNull()
    expect((await thief.get('/')).body).not.toHaveProperty('userId')
    expect(at.store.counters.reuse).toBe(1)
    expect(await reload(req)).toBeNull()
  })

  test('that began with an id out of date is served within the grace, and no longer', async () => {
    const at = await site({}, { every: 600, grace: 60 })
    await at.visitor.get('/login')
    const key = `${at.prefix}${at.visitor.sid}`
    await passTime(client, key, 600_000)
    const late = new Visitor(`http://127.0.0.1:${at.port}` as never, at.visitor.cookie)
    await at.visitor.get('/')
    await at.visitor.get('/')
    const req = await open({ ...at, visitor: late })
    expect(await reload(req)).toMatchObject({ userId: 'ada' })
    await endGrace(key)
    expect(await reload(req)).toBeNull()
  })
})

test('loadSession resolves the session of a request again after renewals, and takes nobody for a thief', async () => {
  const at = await site()
  await at.visitor.get('/login')
  const req = { headers: { cookie: at.visitor.cookie } } as never
  const load = () => loadSession(req, { store: at.store, secret: SECRET })
  expect(await load()).toMatchObject({ userId: 'ada' })
  for (let i = 0; i < 2; i++) {
    await renewals(at.visitor)
    expect(await load()).toMatchObject({ userId: 'ada' })
  }
  expect(at.store.counters.reuse).toBe(0)
  await at.visitor.get('/logout')
  expect(await load()).toBeNull()
})

test('loadSession resolves what the session of a socket behind session() has become', async () => {
  const at = await site()
  await at.visitor.get('/login')
  const req = await (CONNECTIONS['a socket of Socket.IO'] as (at: Site) => Promise<Held>)(at)
  await renewals(at.visitor)
  expect(await loadSession(req, { store: at.store, secret: SECRET })).toMatchObject({ userId: 'ada' })
  expect(at.store.counters.reuse).toBe(0)
})

/** Makes the session look as if the grace of the last renewal were over. */
async function endGrace(key: string): Promise<void> {
  const [generation, since = '', ...rest] = ((await client.hget(key, '@renew')) ?? '').split(' ')
  const earlier = (Number.parseInt(since, 36) - 60_000).toString(36)
  await client.hset(key, '@renew', [generation, earlier, ...rest].join(' '))
}
