import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AuditEntry, adminRouter, RedisStore, type SessionContent } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { OPENAPI } from '../../src/admin-router/openapi.js'
import { handleOf } from '../../src/ids/handle.js'
import { example } from '../support/markdown.js'
import { connect, freshPrefix } from '../support/redis.js'
import { TOOLS } from '../support/tools.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'

const PAGE = 'docs/admin.md'
const page = readFileSync(PAGE, 'utf8')
const client = connect()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix: freshPrefix(), indexes })
const written: AuditEntry[] = []
let server: Server

beforeAll(() => {
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'grace' })
    res.end()
  })
  const users = { find: async (id: unknown) => (id === 'grace' ? { isAdmin: true, email: 'grace@example.com' } : null) }
  const scope = {
    app,
    adminRouter,
    sessions: { store },
    users,
    auditLog: { write: (entry: AuditEntry) => written.push(entry) },
  }
  const mount = example(PAGE, 'run', 'mount').replace(/^import .+\n/gm, '')
  new Function(...Object.keys(scope), mount)(...Object.values(scope))
  server = createServer(app).listen(0)
})
beforeEach(async () => {
  await store.set('session-42', { userId: '42', cart: { tea: 2 }, note: 'x' } as never)
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await store.clear()
  await store.close()
  await client.quit()
})

test('the example lets administrators in and nobody else, shows the cart and nothing else, and writes an audit log', async () => {
  const visitor = request.agent(server)
  await visitor.get('/admin/sessions/sessions').expect(403)
  await visitor.get('/login')
  const { body } = await visitor.get(`/admin/sessions/sessions/${handleOf('session-42')}`).expect(200)
  expect(body.values).toEqual({ cart: { tea: 2 } })
  expect(written).toMatchObject([{ outcome: 'refused' }, { who: 'grace@example.com', action: 'show', outcome: 'done' }])
})

test.each(TOOLS)('the transcript comes out as the page shows it, with %s', async (tools) => {
  const { headers } = await request(server).get('/login')
  const [cookie] = headers['set-cookie'] as unknown as string[]
  const all = steps(
    example(PAGE, 'transcript', 'json').replaceAll(
      'localhost:3000',
      `localhost:${(server.address() as AddressInfo).port}`,
    ),
  )
  const prelude = `ADMIN='${cookie?.split(';')[0]}'`
  expect(asTyped(all, await typed(all, process.cwd(), prelude, tools))).toEqual(asShown(all))
})

test('every path of the description is in the table, and no other', () => {
  const rows = [...page.matchAll(/^\| `(GET|POST) (\/[^?`]*)/gm)].map(([, method = '', path]) => `${method} ${path}`)
  const described = Object.entries(OPENAPI.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('{handle}', ':handle')}`),
  )
  expect(rows.sort()).toEqual([...described, 'GET /openapi.json'].sort())
})
