// Socket.IO gets the session of a handshake from loadSession, and from the middleware itself (io.engine.use), over both
// transports.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { loadSession } from 'connect-redis-hash'
import express from 'express'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { openSessions, versionOf } from '../support/host.mjs'
import { SECRET } from '../support/secret.mjs'
import { Visitor } from '../support/visitor.mjs'

const TRANSPORTS = ['websocket', 'polling']

const { sessions, line, close } = await openSessions('socket.io')
const options = { store: sessions.store, secret: SECRET, name: 'sid' }

async function start(attach) {
  const app = express().use(sessions)
  app.set('env', 'test')
  app.post('/login', (req, res) => {
    req.session.userId = 'ada'
    res.end()
  })
  app.post('/logout', (req, res, next) => req.session.destroy((err) => (err ? next(err) : res.end())))
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Server(server)
  attach(sockets)
  return { url: `http://127.0.0.1:${server.address().port}`, sockets }
}

/** Opens a socket. Resolves with what the server says, and the socket. */
function come(url, cookie, transport) {
  const socket = io(url, { extraHeaders: { cookie }, transports: [transport], reconnection: false, forceNew: true })
  return new Promise((resolve) => {
    socket.on('hello', (user) => resolve([user, socket]))
    socket.on('connect_error', (err) => resolve([err.message, socket]))
  })
}

const byLoading = await start((sockets) => {
  sockets.use((socket, next) => {
    loadSession(socket.request, options).then((session) => {
      if (!session?.userId) return next(new Error('not logged in'))
      socket.data.session = session
      next()
    }, next)
  })
  sockets.on('connection', (socket) => {
    const { session } = socket.data
    socket.on(
      'disconnect',
      sessions.store.watch(session, () => socket.disconnect(true)),
    )
    socket.emit('hello', session.userId)
  })
})
const byMiddleware = await start((sockets) => {
  sockets.engine.use(sessions)
  sockets.on('connection', (socket) => {
    const { session } = socket.request
    // Socket.IO's documents have this for long-lived sockets.
    session.reload((err) => socket.emit('hello', err ? err.message : (session.userId ?? 'nobody')))
  })
})

for (const transport of TRANSPORTS) {
  const visitor = new Visitor(byLoading.url)
  await visitor.post('/login')
  const [greeting, socket] = await come(byLoading.url, visitor.cookie, transport)
  assert.equal(greeting, 'ada', transport)
  const closed = new Promise((resolve) => socket.on('disconnect', resolve))
  await visitor.post('/logout')
  assert.equal(await closed, 'io server disconnect', 'a logout closes the socket')
  assert.equal((await come(byLoading.url, visitor.cookie, transport))[0], 'not logged in')
}
for (const transport of TRANSPORTS) {
  const visitor = new Visitor(byMiddleware.url)
  await visitor.post('/login')
  const [greeting, socket] = await come(byMiddleware.url, visitor.cookie, transport)
  assert.equal(greeting, 'ada', `io.engine.use, ${transport}`)
  socket.close()
  // A visitor without a session must not end the process by an upgrade.
  const [nobody, other] = await come(byMiddleware.url, '', transport)
  assert.ok(['nobody', 'failed to load session'].includes(nobody), `io.engine.use, ${transport}: ${nobody}`)
  other.close()
  await line.cut()
  const [away] = await come(byMiddleware.url, visitor.cookie, transport)
  assert.match(away, /error/, `io.engine.use, ${transport}, Redis is gone`)
  await line.restore()
  while ((await visitor.post('/logout')).status !== 200) {}
}
await byLoading.sockets.close()
await byMiddleware.sockets.close()
await close()
console.log(['socket.io', 'express'].map((name) => versionOf(name, import.meta.url)).join(', '))
