import { Agent, createServer, get, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bindClient, RedisStore, rotateOnLogin, saveBeforeResponse } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'

const HITS = 10_000
const AT_ONCE = 40

let redis: PrivateRedis
let server: Server
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })

beforeAll(async () => {
  redis = await privateRedis()
  const app = express()
  app.set('trust proxy', 1)
  const store = new RedisStore({ client: redis.connect(), timeout: 10_000 })
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(bindClient({ secret: 'key' }))
  app.use(rotateOnLogin({ principal: (held) => (held as { user?: string }).user }))
  app.use(saveBeforeResponse())
  app.get('/show', (req, res) => {
    res.end(JSON.stringify(req.session))
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.end('bye')))
  })
  app.get('/drop-user', (req, res) => {
    delete (req.session as { user?: string }).user
    res.end('bye')
  })
  server = createServer(app).listen(0)
  await store.ping()
})
afterAll(async () => {
  agent.destroy()
  server.closeAllConnections()
  server.close()
  await redis.stop()
})

const signed = (sid: string, secret = 's') => `connect.sid=${encodeURIComponent(`s:${sign(sid, secret)}`)}`
const COOKIES: ((n: number) => string)[] = [
  () => '',
  (n) => signed(`unknown-${n}`),
  () => signed('always-the-same'),
  (n) => signed(`forged-${n}`, 'guess'),
  (n) => `connect.sid=s%3Anothing-${n}`,
]
const PATHS = ['/show', '/logout', '/drop-user']

function hit(n: number): Promise<{ status?: number | undefined; headers: IncomingHttpHeaders }> {
  const { port } = server.address() as AddressInfo
  const path = PATHS[n % PATHS.length] as string
  const headers = { Cookie: COOKIES[n % COOKIES.length]?.(n) ?? '', 'X-Forwarded-For': `203.0.${n % 256}.${n % 199}` }
  return new Promise((resolve, reject) => {
    get({ port, path, headers, agent }, (res) => {
      res.resume().on('end', () => resolve({ status: res.statusCode, headers: res.headers }))
    }).on('error', reject)
  })
}

test('10,000 hits and logouts of visitors without a session: no key, no write, no cookie', async () => {
  await redis.takeCalls()
  let next = 0
  const worker = async () => {
    while (next < HITS) {
      const { status, headers } = await hit(next++)
      if (status !== 200 || headers['set-cookie'] !== undefined) throw new Error(`${status} ${headers['set-cookie']}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const calls = Object.keys(await redis.takeCalls()).sort()
  expect(await redis.admin.dbsize()).toBe(0)
  // The calls end the session, and ask whether it exists, was given up a moment ago, or has just got another id: no
  // others.
  expect(calls).toEqual(['del', 'exists', 'get', 'hgetall'])
})
