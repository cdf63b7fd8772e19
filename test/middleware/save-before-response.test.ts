import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import connectFramework from 'connect'
import { RedisStore, saveBeforeResponse } from 'connect-redis-hash'
import express5 from 'express'
import session from 'express-session'
import express4 from 'express4'
import { Redis } from 'ioredis'
import { type DelayProxy, delayProxy } from '../support/delay-proxy.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'
import { until } from '../support/until.js'

/** biome-ignore lint/suspicious/noExplicitAny: three frameworks, one shape */
type App = any

const admin = connect()
const prefix = freshPrefix()
let proxy: DelayProxy
let client: Redis
let store: RedisStore
/**
 * Another server of the same application, close to Redis: on a single connection, commands would stay in order anyway.
 */
let other: Server

beforeAll(async () => {
  proxy = await delayProxy(socketPath())
  client = new Redis({ port: proxy.port, retryStrategy: () => 20, maxRetriesPerRequest: 1 })
  client.on('error', () => {})
  store = new RedisStore({ client, prefix, maxBytes: 4000 })
  other = await serve(express5(), false, new RedisStore({ client: admin, prefix }))
})
beforeEach(async () => {
  proxy.setDelay(0)
  proxy.setDown(false)
  await until('it is connected', () => store.ping().then(() => true))
})
afterAll(async () => {
  other.close()
  client.disconnect()
  await proxy.close()
  await admin.quit()
})

function serve(app: App, middleware: boolean, sessions = store): Promise<Server> {
  app.use(session({ store: sessions, secret: 's', resave: false, saveUninitialized: false }))
  if (middleware) app.use(saveBeforeResponse())
  app.use((req: App, res: App, next: () => void) => {
    const url = new URL(req.url, 'http://x')
    if (url.pathname === '/set') {
      req.session.value = url.searchParams.get('value')
      res.writeHead(302, { Location: '/show' })
      res.end('moved')
    } else if (url.pathname === '/stream') {
      if (url.searchParams.has('value')) req.session.value = url.searchParams.get('value')
      Readable.from(['one ', 'two ', 'three']).pipe(res)
    } else if (url.pathname === '/throws') {
      req.session.value = 'thrown'
      throw new Error('handler failed')
    } else if (url.pathname === '/too-large') {
      req.session.value = 'x'.repeat(5000)
      res.end('saved')
    } else if (url.pathname === '/ends-then-throws') {
      req.session.value = 'kept'
      res.setHeader('X-Mine', '1')
      res.end('first')
      throw new Error('too late')
    } else if (url.pathname === '/show') {
      res.end(`value ${req.session.value}`)
    } else next()
  })
  app.use((err: App, req: App, res: App, _next: unknown) => {
    res.statusCode = err.status ?? 500
    res.end(`error ${err.code ?? err.message} ${typeof req.session}`)
  })
  return listening(app)
}

function listening(app: App): Promise<Server> {
  const server = createServer(app)
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

interface Reply {
  status: number
  headers: IncomingMessage['headers']
  cookie: string
  /** Resolves with the body; the headers are there before. */
  body: Promise<string>
}

function fetchOnce(server: Server, path: string, cookie = ''): Promise<Reply> {
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path, headers: cookie ? { cookie } : {}, agent: false }, (res) => {
      const set = res.headers['set-cookie']?.[0]?.split(';')[0] ?? cookie
      const body = Readable.from(res)
        .toArray()
        .then((chunks) => Buffer.concat(chunks).toString())
      resolve({ status: res.statusCode ?? 0, headers: res.headers, cookie: set, body })
    }).on('error', reject)
  })
}

const frameworks: [string, () => App][] = [
  ['Express 5', express5],
  ['Express 4', express4],
  ['Connect', connectFramework],
]

describe.each(frameworks)('saveBeforeResponse on %s', (_name, make) => {
  let server: Server
  beforeAll(async () => {
    server = await serve(make(), true)
  })
  afterAll(() => server.close())

  test('a redirect followed at once over a slow Redis finds what the request before it set', async () => {
    proxy.setDelay(60)
    const first = await fetchOnce(server, '/set?value=new')
    expect([first.status, first.headers.location]).toEqual([302, '/show'])
    const second = await fetchOnce(other, '/show', first.cookie)
    expect(await second.body).toBe('value new')
    expect(await first.body).toBe('moved')
  })

  test('a streamed body arrives whole, after the save', async () => {
    proxy.setDelay(40)
    const reply = await fetchOnce(server, '/stream?value=streamed')
    expect(await reply.body).toBe('one two three')
    expect(await (await fetchOnce(other, '/show', reply.cookie)).body).toBe('value streamed')
  })

  test('a failed save is an error response without a cookie, not a success', async () => {
    const { cookie } = await fetchOnce(server, '/set?value=before')
    const response = await fetchOnce(server, '/too-large', cookie)
    expect(response.status).toBe(500)
    expect(await response.body).toBe('error ERR_SESSION_TOO_LARGE undefined')
    expect(response.headers['set-cookie']).toBeUndefined()
    expect(await (await fetchOnce(server, '/show', cookie)).body).toBe('value before')
  })

  test('when Redis goes away under a request, it is answered with 503 and no cookie', async () => {
    const pending = fetchOnce(server, '/set?value=lost')
    proxy.setDown(true)
    const response = await pending
    expect(response.status).toBe(503)
    expect(await response.body).toMatch(/^error ERR_SESSION_(UNAVAILABLE|TIMEOUT) undefined$/)
    expect(response.headers['set-cookie']).toBeUndefined()
    expect(response.headers.location).toBeUndefined()
  })

  test('what a failing handler had set is saved before its error page leaves', async () => {
    proxy.setDelay(40)
    const reply = await fetchOnce(server, '/throws')
    expect(reply.status).toBe(500)
    expect(await (await fetchOnce(other, '/show', reply.cookie)).body).toBe('value thrown')
  })

  test('an error after the end of a held response does not mix into it', async () => {
    const reply = await fetchOnce(server, '/ends-then-throws')
    expect([reply.status, reply.headers['x-mine'], await reply.body]).toEqual([200, '1', 'first'])
  })
})

test('without it, a redirect followed at once over a slow Redis misses what was set', async () => {
  const server = await serve(express5(), false)
  proxy.setDelay(600)
  const first = await fetchOnce(server, '/set?value=new')
  const second = await fetchOnce(other, '/show', first.cookie)
  expect(await second.body).toBe('value undefined')
  await first.body
  server.close()
})

test('a request that changed nothing streams from its first byte, even while Redis is away', async () => {
  const app = express5()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(saveBeforeResponse())
  let proceed!: () => void
  const gate = new Promise<void>((resolve) => {
    proceed = resolve
  })
  app.get('/', async (_req: App, res: App) => {
    res.write('first ')
    await gate
    res.end('second')
  })
  const server = await listening(app)
  const reply = await fetchOnce(server, '/')
  expect(reply.status).toBe(200)
  proceed()
  expect(await reply.body).toBe('first second')
  server.close()
})
