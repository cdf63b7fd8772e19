import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { loadSession, RedisStore, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { Server } from 'socket.io'
import { WebSocketServer } from 'ws'
import { connect } from '../support/redis.js'

/** One of several processes of a site with sockets of both libraries; prints its port. */
const [prefix = '', broadcast = ''] = process.argv.slice(2)
const client = connect()
const store = new RedisStore({
  client,
  prefix,
  timeout: 10_000,
  indexes: { user: (held) => held.userId },
  broadcast: broadcast === 'broadcast',
})
const secret = 's'

const app = express()
app.use(session({ store, secret, resave: false, saveUninitialized: false }), rotateOnLogin())
app.get('/login/:user', (req, res) => {
  Object.assign(req.session, { userId: req.params.user })
  if (req.query.seconds !== undefined) req.session.cookie.maxAge = 1000 * Number(req.query.seconds)
  res.end()
})
app.get('/logout', (req, res, next) => {
  req.session.destroy((err) => (err ? next(err) : res.end()))
})
app.get('/everywhere/:user', async (req, res) => {
  res.json(await store.destroyBy('user', req.params.user))
})
const server = createServer(app)

const wss = new WebSocketServer({ noServer: true })
async function openSocket(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const held = await loadSession(req, { store, secret }).catch(() => null)
  if (!held?.userId) {
    socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
    return
  }
  wss.handleUpgrade(req, socket, head, (ws) => {
    const stop = store.watch(held, (reason) => ws.close(4001, reason))
    ws.on('close', stop)
    ws.send(`Hello ${held.userId}`)
  })
}
server.on('upgrade', (req, socket, head) => {
  if (req.url === '/ws') void openSocket(req, socket, head)
})

const io = new Server(server)
io.use((socket, next) => {
  loadSession(socket.request, { store, secret }).then((held) => {
    socket.data.session = held
    next(held?.userId ? undefined : new Error('not logged in'))
  }, next)
})
io.on('connection', (socket) => {
  const stop = store.watch(socket.data.session, (reason) => {
    socket.emit('ended', reason)
    socket.disconnect(true)
  })
  socket.on('disconnect', stop)
  socket.emit('hello', socket.data.session.userId)
})

server.listen(0, () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
