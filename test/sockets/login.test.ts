import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore, rotateOnLogin, rotateSession } from 'connect-redis-hash'
import express from 'express'
import session, { type Session } from 'express-session'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { failureOf } from '../support/failure.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
const app = express()
const sessions = session({ store, secret: 's', resave: false, saveUninitialized: false })
const rotation = rotateOnLogin({ principal: (held) => held.userId })
app.use(sessions, rotation)
app.get('/cart', (req, res) => {
  Object.assign(req.session, { cart: 'tea' })
  res.end()
})
app.get('/login', (req, res) => {
  Object.assign(req.session, { userId: 'ada' })
  res.end()
})
const server = createServer(app).listen(0)

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await store.clear()
  await client.quit()
})

type Held = IncomingMessage & { session: Session }

/** The request of a socket of this visitor, as the application has it. */
async function socketOf(visitor: Visitor, sockets: Server, transports: string[]): Promise<Held> {
  const { port } = server.address() as AddressInfo
  const extraHeaders = { cookie: visitor.cookie }
  const socket = io(`http://127.0.0.1:${port}`, { path: sockets.path(), extraHeaders, transports, reconnection: false })
  const [{ request }] = await once(sockets, 'connection')
  afterThis.push(() => socket.disconnect())
  return request
}
const afterThis: (() => unknown)[] = []
afterEach(() => {
  for (const close of afterThis.splice(0)) close()
})

const save = (held: Session) => new Promise<unknown>((resolve) => held.save((err) => resolve(err ?? 'saved')))

test.each([['websocket'], ['polling']])(
  'a login over a socket (%s) that rotateOnLogin watches fails, and the session stays as it was',
  async (transport) => {
    const sockets = new Server(server, { path: `/watched-${transport}` })
    sockets.engine.use(sessions)
    sockets.engine.use(rotation)
    const visitor = new Visitor(server)
    await visitor.get('/cart')
    const { sid } = visitor
    const req = await socketOf(visitor, sockets, [transport])
    expect(await save(Object.assign(req.session, { userId: 'ada' }))).toMatchObject({
      code: 'ERR_SESSION_HEADERS_SENT',
    })
    const { cookie: _cookie, ...held } = (await store.read(sid)) ?? {}
    expect(held).toEqual({ cart: 'tea' })
  },
)

test('one that it does not watch keeps the id, and is a warning', async () => {
  const sockets = new Server(server, { path: '/unwatched' })
  sockets.engine.use(sessions)
  const visitor = new Visitor(server)
  await visitor.get('/cart')
  const req = await socketOf(visitor, sockets, ['websocket'])
  const told = once(store, 'warning')
  expect(await save(Object.assign(req.session, { userId: 'ada' }))).toBe('saved')
  expect(await told).toMatchObject([{ code: 'principal-changed-outside' }])
})

test('after a login by HTTP the socket connects again, as the user', async () => {
  const sockets = new Server(server, { path: '/again' })
  sockets.engine.use(sessions)
  const visitor = new Visitor(server)
  await visitor.get('/cart')
  const planted = visitor.sid
  await socketOf(visitor, sockets, ['websocket'])
  await visitor.get('/login')
  expect(visitor.sid).not.toBe(planted)
  expect((await socketOf(visitor, sockets, ['websocket'])).session).toMatchObject({ userId: 'ada', cart: 'tea' })
})

describe('rotateSession without Express', () => {
  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.url === '/in') Object.assign((req as Held).session, { cart: 'tea' })
    if (req.url === '/late') res.write('begun ')
    if (req.url !== '/in') res.write((await failureOf(rotateSession(req)))?.code ?? '')
    res.end()
  }
  const noResponse = (req: IncomingMessage, next: () => void) =>
    sessions(req as never, {} as never, () => rotation(req, {} as ServerResponse, next))
  const plain = (req: IncomingMessage, next: () => void) => sessions(req as never, {} as never, next)
  const ownServer = createServer((req, res) =>
    sessions(req as never, res as never, () => void answer(req, res)),
  ).listen(0)
  afterAll(() => {
    ownServer.closeAllConnections()
    ownServer.close()
  })

  test.each([
    ['session() alone', plain],
    ['rotateOnLogin', noResponse],
  ])('over an upgrade fails, and the session stays as it was, with %s', async (_name, run) => {
    const visitor = new Visitor(ownServer)
    await visitor.get('/in')
    ownServer.removeAllListeners('upgrade')
    const done = new Promise((resolve) => {
      ownServer.once('upgrade', (req, socket) => {
        run(
          req,
          () =>
            void failureOf(rotateSession(req))
              .then(resolve)
              .finally(() => socket.destroy()),
        )
      })
    })
    const { port } = ownServer.address() as AddressInfo
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket', Cookie: visitor.cookie }
    httpRequest({ port, headers })
      .on('error', () => {})
      .end()
    expect(await done).toMatchObject({ code: 'ERR_SESSION_HEADERS_SENT' })
    expect(await store.exists(visitor.sid)).toBe(true)
  })

  test('after the first byte fails, and the session stays as it was', async () => {
    const visitor = new Visitor(ownServer)
    await visitor.get('/in')
    expect((await visitor.get('/late')).text).toBe('begun ERR_SESSION_HEADERS_SENT')
    expect(await store.exists(visitor.sid)).toBe(true)
  })

  test('before it sends the new id in a response that no cache may store', async () => {
    const visitor = new Visitor(ownServer)
    await visitor.get('/in')
    const before = visitor.sid
    const { headers } = await visitor.get('/again')
    expect(visitor.sid).not.toBe(before)
    expect(headers['cache-control']).toBe('no-store')
  })
})
