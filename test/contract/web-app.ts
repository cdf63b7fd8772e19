import type { RequestListener, ServerResponse } from 'node:http'
import connectApp from 'connect'
import { RedisStore } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express, { type Request } from 'express'
import session, { type SessionOptions, type Store } from 'express-session'
import express4 from 'express4'
import type { Response } from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

export const SECRET = 'keyboard cat'

/** The handler of a path. Sessions may have any properties. */
export type Route = (req: Request, res: ServerResponse, bag: Record<string, unknown>) => unknown

type App = RequestListener & { use(handler: unknown): unknown }

const FRAMEWORKS: Record<string, () => App> = {
  'Express 5': () => express() as unknown as App,
  'Express 4': () => express4() as unknown as App,
  Connect: () => connectApp() as unknown as App,
}

export const json = (res: ServerResponse, value: unknown) => {
  res.setHeader('Content-Type', 'application/json')
  res.end(JSON.stringify(value))
}

/** Responds with the session as the handler sees it. */
export const show: Route = (req, res) => json(res, { id: req.sessionID, session: req.session ?? null })

const ROUTES: Record<string, Route> = {
  '/': show,
  '/put': (req, res, bag) => {
    Object.assign(bag, Object.fromEntries(new URL(req.url, 'http://x').searchParams))
    show(req, res, bag)
  },
  '/logout': (req, res) => req.session.destroy((err) => json(res, { err: err?.message })),
  '/regenerate': (req, res, bag) => req.session.regenerate(() => show(req, res, bag)),
}

/** The store of the current test, and applications that use it. */
export class Site {
  readonly make: () => App
  store!: Store

  constructor(make: () => App) {
    this.make = make
  }

  app(options: Partial<SessionOptions> = {}, routes: Record<string, Route> = {}): App {
    const defaults = { store: this.store, secret: SECRET, resave: false, saveUninitialized: false }
    return this.serve([session({ ...defaults, ...options })], routes)
  }

  /** @param middleware replaces the session middleware of `app` */
  serve(middleware: unknown[], routes: Record<string, Route> = {}): App {
    const app = this.make()
    for (const one of middleware) app.use(one)
    const all = { ...ROUTES, ...routes }
    app.use((req: Request, res: ServerResponse, next: () => void) => {
      const route = all[req.url.split('?')[0] as string]
      if (route === undefined) return next()
      return route(req, res, req.session as unknown as Record<string, unknown>)
    })
    return app
  }

  visitor(options?: Partial<SessionOptions>, routes?: Record<string, Route>): Visitor {
    return new Visitor(this.app(options, routes))
  }

  stored(sid: string): Promise<Record<string, unknown> | null> {
    return new Promise((resolve, reject) => {
      this.store.get(sid, (err, data) => (err ? reject(err) : resolve((data ?? null) as never)))
    })
  }

  count(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.store.length?.((err, length) => (err ? reject(err) : resolve(length as number)))
    })
  }
}

/** Runs the same tests on every framework, with MemoryStore and with RedisStore. */
export function describeEverywhere(tests: (site: Site) => void, only?: string): void {
  const client = connect()
  afterAll(() => client.quit())
  const stores: Record<string, () => Store> = {
    MemoryStore: () => new session.MemoryStore(),
    RedisStore: () => new RedisStore({ client, prefix: freshPrefix() }),
  }
  for (const [framework, make] of Object.entries(FRAMEWORKS)) {
    if (only !== undefined && framework !== only) continue
    describe.each(Object.entries(stores))(`${framework} with %s`, (_store, makeStore) => {
      const site = new Site(make)
      beforeEach(() => {
        site.store = makeStore()
      })
      tests(site)
    })
  }
}

export function setCookies(response: Response): string[] {
  return (response.headers['set-cookie'] as unknown as string[] | undefined) ?? []
}

/** The session cookie of a visitor who knows the secret, or guesses one. */
export function signedCookie(sid: string, secret = SECRET, name = 'connect.sid'): string {
  return `${name}=${encodeURIComponent(`s:${sign(sid, secret)}`)}`
}
