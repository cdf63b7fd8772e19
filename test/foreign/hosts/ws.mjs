// ws gets the session of an upgrade from loadSession, and from the middleware itself, as the documents of ws have it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { loadSession } from 'connect-redis-hash'
import express from 'express'
import { WebSocket, WebSocketServer } from 'ws'
import { listen, openSessions, versionOf } from '../support/host.mjs'
import { SECRET } from '../support/secret.mjs'
import { Visitor } from '../support/visitor.mjs'

const { sessions, line, close } = await openSessions('ws')
const app = express().use(sessions)
app.set('env', 'test')
app.post('/login', (req, res) => {
  req.session.userId = 'ada'
  res.end()
})
app.post('/logout', (req, res, next) => req.session.destroy((err) => (err ? next(err) : res.end())))
const { url, server, close: closeServer } = await listen(app)
const wss = new WebSocketServer({ noServer: true })

/** Either way leads to `req.session`, or to an error. */
const ways = {
  '/load': async (req) => loadSession(req, { store: sessions.store, secret: SECRET, name: 'sid' }),
  '/middleware': (req) =>
    new Promise((resolve, reject) => {
      sessions(req, {}, (err) => (err ? reject(err) : resolve(req.session)))
    }),
}
server.on('upgrade', (req, socket, head) => {
  ways[req.url](req).then(
    (session) => {
      if (!session?.userId) return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
      wss.handleUpgrade(req, socket, head, (ws) => ws.send(session.userId))
    },
    (err) => socket.end(`HTTP/1.1 ${err.status} Unavailable\r\n\r\n`),
  )
})

/** Resolves with what the server says: a greeting, or why there is none. */
async function greeting(path, cookie) {
  const socket = new WebSocket(url.replace('http', 'ws') + path, { headers: { cookie } })
  const said = await Promise.race([
    once(socket, 'message').then(([data]) => String(data)),
    once(socket, 'error').then(([err]) => err.message),
    once(socket, 'unexpected-response').then(([, response]) => String(response.statusCode)),
  ])
  socket.terminate()
  return said
}

const visitor = new Visitor(url)
await visitor.post('/login')
for (const path of Object.keys(ways)) {
  assert.equal(await greeting(path, visitor.cookie), 'ada', path)
  assert.match(await greeting(path, ''), /401/, `${path} without a cookie`)
}
await line.cut()
for (const path of Object.keys(ways))
  assert.match(await greeting(path, visitor.cookie), /503/, `${path}, Redis is gone`)
await line.restore()
while ((await visitor.post('/logout')).status !== 200) {}
for (const path of Object.keys(ways)) assert.match(await greeting(path, visitor.cookie), /401/, `${path}, logged out`)

await closeServer()
await close()
console.log(['ws', 'express'].map((name) => versionOf(name, import.meta.url)).join(', '))
