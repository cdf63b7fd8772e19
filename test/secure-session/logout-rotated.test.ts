import { createServer, type Server } from 'node:http'
import { endSession, RedisStore, rotateSession, secureSession } from 'connect-redis-hash'
import express from 'express'
import { gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'
import { type App, options } from './site.js'

// A logout that comes with an id that another tab has just given up for the next one.

const client = connect()
const prefix = freshPrefix()
let server: Server

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await new RedisStore({ client, prefix }).clear()
})
afterAll(() => client.quit())

const WAYS: Record<string, (req: App, res: App) => void> = {
  'endSession()': (req, res) => void endSession(req, res).then(() => res.end('bye')),
  'req.session.destroy()': (req, res) => req.session.destroy((err: unknown) => res.end(err ? 'failed' : 'bye')),
}

test.each(Object.keys(WAYS))('%s ends the session under the id that it has now', async (way) => {
  const rotated = gate()
  const app = express()
  app.use(secureSession(options({ client, prefix, timeout: 30_000, bind: false, cookie: { secure: false } })))
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  app.get('/rotate', async (req, res) => {
    await rotateSession(req)
    await rotated.wait()
    res.end()
  })
  app.get('/logout', (req, res) => (WAYS[way] as (req: App, res: App) => void)(req, res))
  app.get('/', (req, res) => void res.json((req.session as App).userId ?? null))
  server = createServer(app).listen(0)

  const visitor = new Visitor(server)
  await visitor.get('/login')
  const other = new Visitor(server, visitor.cookie)
  const rotating = visitor.get('/rotate')
  await rotated.reached
  expect((await other.get('/logout')).text).toBe('bye')
  rotated.open()
  await rotating
  expect((await visitor.get('/')).body).toBeNull()
})
