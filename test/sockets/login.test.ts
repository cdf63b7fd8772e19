import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session, { type Session } from 'express-session'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
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
