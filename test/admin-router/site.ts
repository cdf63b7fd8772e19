import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import connect from 'connect'
import type { AdminRouterOptions, Middleware, RedisStore } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import express4 from 'express4'
import { buildRouter } from '../../src/admin-router/build-router.js'
import { LIMITS, type Limits } from '../../src/admin-router/limits.js'

export const FRAMEWORKS = { 'Express 5': express, 'Express 4': express4, Connect: connect } as const
export const MOUNT = '/admin/sessions'
export const JSON_ONLY = { Accept: 'application/json' }
export const HTML = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
export const SAME_ORIGIN = { 'Sec-Fetch-Site': 'same-origin' }

type Options = Partial<Omit<AdminRouterOptions, 'store'>>

export interface SiteOptions extends Options {
  /** Makes the application. Default: Express 5. */
  framework?: () => unknown
  /** Middleware before the router, behind the session. */
  before?: Middleware[]
  limits?: Partial<Limits>
}

/** Whoever has the cookie `admin` is an administrator, and its value is their name. */
export function authorize({ headers }: IncomingMessage): string | false {
  return /(?:^|; )admin=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? false
}

/** A server with a login at `/login/<user>`, `/whoami`, and the router; errors are answered as `<status> <message>`. */
export function site(
  store: RedisStore,
  { framework = express, before = [], limits, ...options }: SiteOptions = {},
): Server {
  const app = framework() as ReturnType<typeof connect>
  const use = (middleware: unknown) => app.use(middleware as connect.NextHandleFunction)
  use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use('/login', ((req: Held, res: ServerResponse, next: (err?: unknown) => void) => {
    Object.assign(req.session, { userId: req.url?.slice(1) })
    req.session.save((err) => (err ? next(err) : res.end()))
  }) as never)
  app.use('/whoami', ((req: Held, res: ServerResponse) => res.end(req.session?.userId ?? 'nobody')) as never)
  for (const middleware of before) use(middleware)
  const router = buildRouter({ store: store as never, authorize, ...options }, { ...LIMITS, ...limits })
  app.use(MOUNT, router as connect.NextHandleFunction)
  use((_req: unknown, res: ServerResponse) => {
    res.statusCode = 404
    res.end('no such page')
  })
  use((err: Error & { status?: number }, _req: unknown, res: ServerResponse, _next: unknown) => {
    res.statusCode = err.status ?? 500
    res.end(`${res.statusCode} ${err.message}`)
  })
  return createServer(app as never)
    .listen(0)
    .unref()
}

type Held = connect.IncomingMessage & { session: session.Session & { userId?: string } }
