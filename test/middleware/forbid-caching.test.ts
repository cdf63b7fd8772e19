import { Readable } from 'node:stream'
import {
  bindClient,
  bindDevice,
  type Middleware,
  RedisStore,
  renewSession,
  rotateOnLogin,
  rotateSession,
  saveBeforeResponse,
} from 'connect-redis-hash'
import express, { type Request, type Response } from 'express'
import session, { type SessionOptions } from 'express-session'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
afterAll(async () => {
  await new RedisStore({ client, prefix }).clear()
  await client.quit()
})

const CACHED = { 'Cache-Control': 'public, max-age=600' }
/** Ways in which responses say that they may be cached, and leave. */
const STYLES: Record<string, (res: Response) => unknown> = {
  'headers of its own': (res) => res.set(CACHED).end('page'),
  'headers given to writeHead': (res) => res.writeHead(200, CACHED).end('page'),
  'headers given to writeHead in a list': (res) => res.writeHead(200, Object.entries(CACHED).flat()).end('page'),
  'a status and headers given to writeHead': (res) => res.writeHead(200, 'fine', CACHED).end('page'),
  'a streamed body': (res) => Readable.from(['pa', 'ge']).pipe(res.set(CACHED)),
  'written parts': (res) => {
    res.set(CACHED).write('pa')
    res.end('ge')
  },
  'flushed headers': (res) => {
    res.set(CACHED).flushHeaders()
    res.end('page')
  },
  'JSON that has an ETag': (res) => res.set(CACHED).json({ page: 1 }),
  'a file': (res) => res.sendFile('package.json', { root: '.', maxAge: 600_000 }),
  'a redirect': (res) => res.set(CACHED).redirect('/'),
}

const rotation = rotateOnLogin({ principal: (held) => held.userId })
const MIDDLEWARE: Record<string, () => Middleware[]> = {
  'bindClient()': () => [bindClient({ secret: 's' })],
  'bindDevice()': () => [bindDevice()],
  'rotateOnLogin()': () => [rotation],
  'renewSession()': () => [renewSession({ every: 0, grace: 0 })],
  'saveBeforeResponse()': () => [saveBeforeResponse()],
  'all of them': () => [
    bindDevice(),
    bindClient({ secret: 's' }),
    rotation,
    renewSession({ every: 0 }),
    saveBeforeResponse(),
  ],
}

function visitorOf(
  middleware: Middleware[],
  options: Partial<SessionOptions> = {},
  before: Middleware[] = [],
): Visitor {
  const store = new RedisStore({ client, prefix })
  const app = express()
  for (const one of before) app.use(one)
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false, ...options }))
  for (const one of middleware) app.use(one)
  const style = (req: Request, res: Response) => STYLES[String(req.query.style ?? 'headers of its own')]?.(res)
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    style(req, res)
  })
  app.get('/rotate', (req, res, next) => {
    rotateSession(req).then(() => style(req, res), next)
  })
  app.get('/own-cookie', (req, res) => {
    res.cookie('theme', 'dark')
    style(req, res)
  })
  app.get('/', style)
  return new Visitor(app)
}

const cachingOf = ({ headers }: { headers: Record<string, string> }) => [
  headers['set-cookie']?.length ?? 0,
  headers['cache-control'],
]

describe.each(Object.entries(MIDDLEWARE))('behind %s', (_name, middleware) => {
  test.each(Object.keys(STYLES))('a login is not to be stored by any cache: %s', async (style) => {
    const visitor = visitorOf(middleware())
    const login = await visitor.get(`/login?style=${encodeURIComponent(style)}`)
    expect(cachingOf(login)).toEqual([1, 'no-store'])
  })

  test('nor is a response of a session() with rolling', async () => {
    const visitor = visitorOf(middleware(), { rolling: true })
    await visitor.get('/login')
    expect(cachingOf(await visitor.get('/'))).toEqual([1, 'no-store'])
  })

  test('nor is one of a session() with saveUninitialized', async () => {
    expect(cachingOf(await visitorOf(middleware(), { saveUninitialized: true }).get('/'))).toEqual([1, 'no-store'])
  })

  test('a response with another cookie, or with none, keeps its caching', async () => {
    const visitor = visitorOf(middleware())
    expect(cachingOf(await visitor.get('/'))).toEqual([0, 'public, max-age=600'])
    expect(cachingOf(await visitor.get('/own-cookie'))).toEqual([1, 'public, max-age=600'])
  })

  test('headers that some caches believe first go, and stay where there is no cookie', async () => {
    const names = [
      'cdn-cache-control',
      'Cloudflare-CDN-Cache-Control',
      'Surrogate-Control',
      'Edge-Control',
      'X-Accel-Expires',
    ]
    const targeted: Middleware = (_req, res, next) => {
      for (const name of names) res.setHeader(name, '600')
      next()
    }
    const visitor = visitorOf(middleware(), {}, [targeted])
    const held = async (path: string) => {
      const { headers } = await visitor.get(path)
      return names.filter((name) => headers[name.toLowerCase()] !== undefined)
    }
    expect(await held('/')).toEqual(names)
    expect(await held('/login')).toEqual([])
  })
})

test.each(Object.keys(STYLES))('a renewal is not to be stored by any cache: %s', async (style) => {
  const visitor = visitorOf([renewSession({ every: 0, grace: 0 })])
  await visitor.get('/login')
  const before = visitor.sid
  expect(cachingOf(await visitor.get(`/?style=${encodeURIComponent(style)}`))).toEqual([1, 'no-store'])
  expect(visitor.sid).not.toBe(before)
})

test('nor is the new id of rotateSession, without any of them', async () => {
  const visitor = visitorOf([])
  await visitor.get('/login')
  const before = visitor.sid
  expect(cachingOf(await visitor.get('/rotate'))).toEqual([1, 'no-store'])
  expect(visitor.sid).not.toBe(before)
})
