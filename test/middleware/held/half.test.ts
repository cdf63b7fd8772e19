import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import {
  bindClient,
  type Middleware,
  RedisStore,
  renewSession,
  rotateOnLogin,
  saveBeforeResponse,
  secureSession,
} from 'connect-redis-hash'
import express, { type ErrorRequestHandler, type NextFunction, type Request, type Response } from 'express'
import session from 'express-session'
import express4 from 'express4'
import { connect, freshPrefix } from '../../support/redis.js'

const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
const client = connect()
const prefix = freshPrefix()
const makeStore = () =>
  new RedisStore({
    client,
    prefix,
    indexes: { user: (held) => held.userId as string },
    ttl: 600,
    absoluteTimeout: 3600,
  })
afterAll(async () => {
  await makeStore().clear()
  await client.quit()
})

const sessions = () =>
  session({ store: makeStore(), secret: SECRET, resave: false, saveUninitialized: false }) as unknown as Middleware
const INSECURE = { secure: false }
/** Middleware, each of which holds the response of a login. */
const MIDDLEWARE: Record<string, () => Middleware[]> = {
  'saveBeforeResponse()': () => [sessions(), saveBeforeResponse()],
  'rotateOnLogin()': () => [sessions(), rotateOnLogin()],
  'all the middleware': () => [
    sessions(),
    bindClient({ secret: 's' }),
    rotateOnLogin(),
    renewSession(),
    saveBeforeResponse(),
  ],
  'secureSession()': () => [
    secureSession({ store: makeStore(), secret: SECRET, user: (held) => held.userId as string, cookie: INSECURE }),
  ],
}

class Broken extends Error {}
type Fail = (res: Response, next: NextFunction) => unknown
/** What handlers do after half of their response. */
const FAILURES: Record<string, Fail> = {
  throws: () => {
    throw new Broken()
  },
  'passes an error on': (_res, next) => next(new Broken()),
  'passes an error on in the next turn': async (_res, next) => {
    await turn()
    next(new Broken())
  },
  'passes an error on once its head is no longer held': async (res, next) => {
    while (!Reflect.get(Object.getPrototypeOf(res), 'headersSent', res)) await turn()
    next(new Broken())
  },
  'pipes a stream that breaks': (res, next) => {
    const broken = new Readable({ read: () => undefined })
    pipeline(broken, res).catch(next)
    broken.push('more')
    setImmediate(() => broken.destroy(new Broken()))
  },
  'destroys the response': (res) => res.destroy(new Broken()),
}
const HALVES: Record<string, (res: Response) => unknown> = {
  write: (res) => res.write('half'),
  'writeHead and write': (res) => res.writeHead(200, { 'Content-Type': 'text/plain' }).write('half'),
  'writeHead alone': (res) => res.writeHead(200),
  flushHeaders: (res) => res.flushHeaders(),
  'a length and half of it': (res) => res.set('Content-Length', '8').write('half'),
}
const HANDLERS: Record<string, ErrorRequestHandler | undefined> = {
  "Express's own": undefined,
  'one that asks whether headers are sent': (err, _req, res, next) => {
    if (res.headersSent) return next(err)
    res.status(500).end('sorry')
  },
}
const FRAMEWORKS = { 'Express 5': express, 'Express 4': express4 as unknown as typeof express }

/** What a visitor gets: the status and the whole body, or nothing that is whole. */
async function answerOf(app: express.Express): Promise<string> {
  const server = createServer(app).listen(0)
  await once(server, 'listening')
  try {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    return `${response.status} ${await response.text()}`
  } catch {
    return 'broken off'
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

describe.each(Object.entries(FRAMEWORKS))('%s', (_framework, make) => {
  describe.each(Object.entries(MIDDLEWARE))('behind %s', (_middleware, middleware) => {
    const stack = middleware()

    describe.each(Object.entries(HANDLERS))('with this error handler: %s', (_handler, handler) => {
      test.each(
        Object.entries(HALVES).flatMap(([half, begin]) =>
          Object.entries(FAILURES).map(([failure, fail]) => [half, failure, begin, fail] as const),
        ),
      )('a handler that, after %s, %s, gives nobody a whole response', async (_half, _failure, begin, fail) => {
        const app = make()
        app.set('env', 'test')
        for (const one of stack) app.use(one as never)
        let headersSent: boolean | undefined
        app.get('/', (req: Request, res: Response, next: NextFunction) => {
          Object.assign(req.session, { userId: 'ada' })
          begin(res)
          headersSent = res.headersSent
          return fail(res, next)
        })
        if (handler !== undefined) app.use(handler)
        expect(await answerOf(app)).toBe('broken off')
        expect(headersSent).toBe(true)
      })
    })
  })
})
