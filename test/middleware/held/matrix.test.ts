import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createServer2, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import connectFramework from 'connect'
import { RedisStore, saveBeforeResponse } from 'connect-redis-hash'
import express5 from 'express'
import session from 'express-session'
import express4 from 'express4'
import { connect, freshPrefix } from '../../support/redis.js'
import { ANSWERS, type Answer } from './answers.js'
import { type Connection, overHttp1, overHttp2 } from './client.js'
import { WRAPPERS, type Wrapper } from './wrappers.js'

/** biome-ignore lint/suspicious/noExplicitAny: three frameworks, one shape */
type App = any

const client = connect()
const store = new RedisStore({ client, prefix: freshPrefix(), maxBytes: 4000 })
store.setMaxListeners(200)

afterAll(async () => {
  await store.clear()
  await client.quit()
})

/** `/ok/<answer>` changes its session a little, `/fail/<answer>` more than may be saved. */
function site(app: App, before: Wrapper, after: Wrapper): App {
  app.use(before)
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(saveBeforeResponse())
  app.use(after)
  app.use((req: IncomingMessage & { session: object }, res: ServerResponse, next: (err?: unknown) => void) => {
    if (req.url === '/ping') return res.end('pong')
    const [, outcome, name] = decodeURIComponent(req.url ?? '').split('/')
    const answer = ANSWERS[name ?? '']
    if (answer === undefined) return next()
    Object.assign(req.session, { value: outcome === 'ok' ? 'little' : 'x'.repeat(5000) })
    return Promise.resolve(answer.give(res, req)).catch(next)
  })
  app.use((err: { status?: number; code?: string }, _req: unknown, res: App, next: (err: unknown) => void) => {
    if (res.headersSent) return next(err)
    res.statusCode = err.status ?? 500
    res.setHeader('Content-Type', 'text/plain')
    res.end(`sorry: ${err.code}`)
  })
  return app
}

async function listening(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return (server.address() as AddressInfo).port
}

interface Framework {
  make: () => App
  serve: (app: App) => Server | Http2Server
  dial: (port: number) => Connection
  has: readonly (string | undefined)[]
}

const overOne = { serve: (app: App) => createServer(app), dial: overHttp1 }
const FRAMEWORKS: Record<string, Framework> = {
  'Express 5': { make: express5, ...overOne, has: [undefined, 'express', 'http1'] },
  'Express 4': { make: express4, ...overOne, has: [undefined, 'express', 'http1'] },
  Connect: { make: connectFramework, ...overOne, has: [undefined, 'http1'] },
  'Connect on HTTP/2': {
    make: connectFramework,
    serve: (app) => createServer2(app as never),
    dial: overHttp2,
    has: [undefined],
  },
}

/** What a wrapper gets wrong by itself. */
const CANNOT: Record<string, readonly string[]> = { 'compression 1.7': ['writeHead with an array'] }
const ONLY_HTTP1 = ['compression 1.7', 'one that gathers the body and compresses it later']

const stage = Object.keys(FRAMEWORKS)
  .flatMap((framework) =>
    Object.keys(WRAPPERS).flatMap((wrapper) => [
      { framework, wrapper, where: 'before' },
      { framework, wrapper, where: 'after' },
    ]),
  )
  .filter(({ framework, wrapper }) => !framework.endsWith('HTTP/2') || !ONLY_HTTP1.includes(wrapper))

describe.each(stage)('$framework, $wrapper $where', ({ framework, wrapper, where }) => {
  const { make, serve, dial, has } = FRAMEWORKS[framework] as Framework
  const through: Wrapper = (_req, _res, next) => next()
  const wrap = (WRAPPERS[wrapper] as () => Wrapper)()
  const warnings: string[] = []
  const noteWarning = (warning: Error) => warnings.push(`${warning.name} ${warning.message}`)
  let server: Server | Http2Server
  let port: number
  beforeAll(async () => {
    process.on('warning', noteWarning)
    server = serve(where === 'before' ? site(make(), wrap, through) : site(make(), through, wrap))
    port = await listening(server)
  })
  afterAll(() => {
    process.off('warning', noteWarning)
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
    expect(warnings.filter((text) => /status message|UnsupportedWarning/i.test(text))).toEqual([])
  })

  const possible = Object.entries(ANSWERS).filter(
    ([name, { needs }]) => has.includes(needs) && !CANNOT[wrapper]?.includes(name),
  )

  test.each(possible)(
    '%s: the whole response, or the whole error, and the connection stays in step',
    async (name, answer) => {
      const connection = dial(port)
      try {
        await expectWhole(connection, name, answer)
        await expectError(connection, name, answer)
        expect((await connection.fetch('/ping')).body).toBe('pong')
      } finally {
        connection.close()
      }
    },
  )
})

async function expectWhole(
  connection: Connection,
  name: string,
  { body, status = 200, method }: Answer,
): Promise<void> {
  const reply = await connection.fetch(`/ok/${encodeURIComponent(name)}`, method)
  const begun = reply.body.slice(0, Math.max(body.length, 20))
  expect({ status: reply.status, body: begun }).toEqual({ status, body })
  expect(reply.headers['set-cookie']?.[0]).toMatch(/^connect\.sid=/)
}

async function expectError(connection: Connection, name: string, { method }: Answer): Promise<void> {
  const reply = await connection.fetch(`/fail/${encodeURIComponent(name)}`, method)
  const body = method === 'HEAD' ? '' : 'sorry: ERR_SESSION_TOO_LARGE'
  expect({ status: reply.status, body: reply.body }).toEqual({ status: 500, body })
  expect(reply.headers['set-cookie']).toBeUndefined()
}
