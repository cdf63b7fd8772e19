import { once } from 'node:events'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer } from 'node:net'
import { RedisStore, rotateOnLogin, saveBeforeResponse } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import type { Redis, RedisOptions } from 'ioredis'
import request, { type Response } from 'supertest'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { beginLoading, LOADING_ARGS } from '../support/loading.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { ANY_CHANNEL } from '../support/server.js'
import { until } from '../support/until.js'
import { Visitor } from '../support/visitor.js'

// Redis is away in several ways, and one question stays: does that give anybody a session?

const LOGIN = { username: 'app', password: '4711-password' }

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

let redis: PrivateRedis
let line: BadLine
let healthy: Server
const servers: Server[] = []

beforeAll(async () => {
  redis = await privateRedis(LOADING_ARGS)
  await redis.admin.call('ACL', 'SETUSER', 'app', 'on', `>${LOGIN.password}`, '~*', ...ANY_CHANNEL, '+@all')
  line = await badLineTo(redis.socketPath)
  healthy = await serve(redis.connect())
})
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await line.close()
  await redis.stop()
})

/** @param plain express-session alone, which shows what a store can do without any help */
async function serve(client: Redis, plain = false): Promise<Server> {
  const app = express()
  const store = new RedisStore({ client, timeout: 2000, touchInterval: 0 })
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  if (!plain) app.use(rotateOnLogin({ principal: (held) => (held as Bag).user }), saveBeforeResponse())
  app.get('/show', (req, res) => {
    res.json({ user: (req.session as Bag).user ?? null })
  })
  app.get('/put', (req, res) => {
    ;(req.session as Bag).put = 1
    res.json({ user: (req.session as Bag).user ?? null })
  })
  app.get('/login', (req, res) => {
    ;(req.session as Bag).user = 'eve'
    res.redirect('/show')
  })
  app.use(((err, _req, res, _next) => {
    res.status(err.status ?? 500).json({ code: err.code })
  }) as express.ErrorRequestHandler)
  const server = createHttpServer(app).listen(0)
  await once(server, 'listening')
  servers.push(server)
  return server
}

/** A port that nobody listens at any more. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((closed) => server.close(closed))
  return port
}

interface Outage {
  code: string
  /** Redis still answers reads. */
  reads?: true
  /** What Redis was sent arrives when it goes on: there is a session then, but nobody has its cookie. */
  late?: true
  /** The address to which the application connects. */
  connection(): Promise<Omit<RedisOptions, 'replyMapping'>>
  begin?(): Promise<unknown>
  end?(): Promise<unknown>
}

const connection = async () => LOGIN
let loading: Awaited<ReturnType<typeof beginLoading>>

const outages: Record<string, Outage> = {
  'ENOENT: its socket does not exist': {
    code: 'ERR_SESSION_UNAVAILABLE',
    connection: async () => ({ path: '/nowhere/redis.sock' }),
  },
  'ECONNREFUSED: nobody listens': {
    code: 'ERR_SESSION_UNAVAILABLE',
    connection: async () => ({ path: undefined as never, host: '127.0.0.1', port: await closedPort() }),
  },
  'a hang: it never answers': {
    code: 'ERR_SESSION_TIMEOUT',
    late: true,
    connection: async () => ({ ...LOGIN, path: line.path }),
    begin: async () => line.hold(),
    end: async () => line.release(),
  },
  'NOPERM: it forbids every command': {
    code: 'ERR_SESSION_FORBIDDEN',
    connection,
    begin: () => redis.admin.call('ACL', 'SETUSER', 'app', '-@all'),
    end: () => redis.admin.call('ACL', 'SETUSER', 'app', '+@all'),
  },
  'OOM: it has no memory left': {
    code: 'ERR_SESSION_OUT_OF_MEMORY',
    reads: true,
    connection,
    begin: () => redis.admin.config('SET', 'maxmemory', '1'),
    end: () => redis.admin.config('SET', 'maxmemory', '0'),
  },
  'LOADING: it is reading its data': {
    code: 'ERR_SESSION_UNAVAILABLE',
    connection,
    async begin() {
      loading = await beginLoading(redis)
    },
    end: () => loading.end(),
  },
  'READONLY: it has become a replica': {
    code: 'ERR_SESSION_READONLY',
    reads: true,
    connection,
    begin: () => redis.admin.replicaof('127.0.0.1', 1),
    end: () => redis.admin.replicaof('NO', 'ONE'),
  },
}

const get = (server: Server, path: string, cookie?: string): Promise<Response> => {
  const sent = request(server).get(path)
  return Promise.resolve(cookie === undefined ? sent : sent.set('Cookie', cookie))
}

test.each(Object.entries(outages))(
  '%s: 503 or the session as it was, never a new session, never a cookie, for anybody',
  async (_name, { code, reads, late, connection, begin, end }) => {
    await redis.admin.flushall()
    const visitor = new Visitor(healthy)
    await visitor.get('/login')
    const { cookie } = visitor
    const client = redis.connect(await connection())
    const [server, plain] = [await serve(client), await serve(client, true)]
    if (begin !== undefined)
      await until('it is connected', () => get(plain, '/show', cookie).then(({ status }) => status === 200))
    const before = (await redis.admin.keys('sess:*')).sort()
    expect(before).toHaveLength(1)

    await begin?.()
    let answers: [what: string, Response][]
    let reading: Response[]
    try {
      const asked: [string, string, string | undefined][] = []
      for (let i = 0; i < 5; i++) {
        asked.push(['a known visitor reads', '/show', cookie], ['a known visitor writes', '/put', cookie])
        asked.push(['a newcomer writes', '/put', undefined], ['a newcomer logs in', '/login', undefined])
      }
      const answering = asked.map(
        async ([what, ...how]): Promise<[string, Response]> => [what, await get(server, ...how)],
      )
      reading = await Promise.all(Array.from({ length: 5 }, () => get(plain, '/show', cookie)))
      answers = await Promise.all(answering)
    } finally {
      await end?.()
    }
    answers.push(...reading.map((answer): [string, Response] => ['a known visitor reads', answer]))
    for (const [what, { status, body, headers }] of answers) {
      const expected = reads && what === 'a known visitor reads' ? [200, { user: 'eve' }] : [503, { code }]
      expect([what, status, body]).toEqual([what, ...expected])
      expect([what, headers['set-cookie'], headers.location]).toEqual([what, undefined, undefined])
    }
    const after = (await redis.admin.keys('sess:*')).sort()
    expect(after).toEqual(late ? expect.arrayContaining(before) : before)
    for (const key of after) expect(await redis.admin.pttl(key)).toBeGreaterThan(0)
    expect((await get(healthy, '/show', cookie)).body).toEqual({ user: 'eve' })
  },
)
