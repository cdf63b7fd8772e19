import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import connectApp from 'connect'
import {
  bindClient,
  type Middleware,
  RedisStore,
  renewSession,
  rotateOnLogin,
  saveBeforeResponse,
  secureSession,
} from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session, { type Session } from 'express-session'
import { Passport } from 'passport'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
const client = connect()
afterAll(() => client.quit())

type Request = IncomingMessage & { session: Session & Record<string, unknown>; sessionStore: RedisStore }
type Route = (req: Request, res: ServerResponse, next: (err?: unknown) => void) => unknown

/** Every way in which applications log out, and make sure of it. */
const LOGOUTS: Record<string, Route> = {
  'Passport logs out': (req, res, next) =>
    (req as unknown as express.Request).logout((err) => (err ? next(err) : res.end('bye'))),
  'the session is saved and regenerated': (req, res, next) =>
    req.session.save((err) => (err ? next(err) : req.session.regenerate((e) => (e ? next(e) : res.end('bye'))))),
  'the session is saved': (req, res, next) => req.session.save((err) => (err ? next(err) : res.end('bye'))),
  'the session is saved after the response has ended': (req, res) => {
    res.end('bye')
    req.session.save()
  },
  'the session is regenerated': (req, res, next) => req.session.regenerate((err) => (err ? next(err) : res.end('bye'))),
  'the session is regenerated twice': (req, res, next) =>
    req.session.regenerate(() => req.session.regenerate((err) => (err ? next(err) : res.end('bye')))),
  'the session is regenerated, and saved': (req, res, next) =>
    req.session.regenerate(() => req.session.save((err) => (err ? next(err) : res.end('bye')))),
  'the session is destroyed and regenerated': (req, res, next) => {
    const { session: held } = req
    held.destroy(() => held.regenerate((err) => (err ? next(err) : res.end('bye'))))
  },
  'its user is set to undefined, and it is saved': (req, res, next) => {
    req.session.userId = undefined
    req.session.save((err) => (err ? next(err) : res.end('bye')))
  },
  'its cookie gets another lifetime, and it is saved': (req, res, next) => {
    req.session.cookie.maxAge = 60_000
    req.session.save((err) => (err ? next(err) : res.end('bye')))
  },
}

const cookieOf = (sid: string, name = 'connect.sid') => `${name}=${encodeURIComponent(`s:${sign(sid, SECRET)}`)}`
/** Cookies of visitors without a session. */
const COOKIES = ['', cookieOf('unknown'), cookieOf('unknown', 'sid')]

const plain = (store: RedisStore, saveUninitialized = false) =>
  session({ store, secret: SECRET, resave: false, saveUninitialized }) as unknown as Middleware
const principal = (held: Record<string, unknown>) => held.userId
const STACKS: Record<string, (store: RedisStore) => Middleware[]> = {
  'session()': (store) => [plain(store)],
  'session() and rotateOnLogin()': (store) => [plain(store), rotateOnLogin({ principal })],
  'session() and all the middleware': (store) => [
    plain(store),
    bindClient({ secret: 's' }),
    rotateOnLogin({ principal }),
    renewSession(),
    saveBeforeResponse(),
  ],
  'secureSession()': (store) => [secureSession({ store, secret: SECRET, user: principal as never, cookie: INSECURE })],
}
const INSECURE = { secure: false }

const APPS: Record<string, () => { use(handler: unknown): unknown }> = {
  'Express 5': express as never,
  Connect: connectApp as never,
}

interface Site {
  store: RedisStore
  app: RequestListener
  keys(): Promise<string[]>
}

function site(stack: (store: RedisStore) => Middleware[], route: Route, make = APPS['Express 5'] as () => never): Site {
  const prefix = freshPrefix()
  const store = new RedisStore({
    client,
    prefix,
    ttl: 600,
    absoluteTimeout: 3600,
    indexes: { user: principal as never },
  })
  const app = make() as { use(handler: unknown): unknown }
  for (const one of stack(store)) app.use(one)
  app.use(new Passport().initialize())
  app.use((req: Request, res: ServerResponse, next: () => void) => {
    const [path, name] = (req.url as string).split('/').slice(1)
    if (path === 'put') req.session[name as string] = 'x'
    if (path === 'put' || path === 'show') return res.end(JSON.stringify(req.session))
    return route(req, res, next)
  })
  return { store, app: app as unknown as RequestListener, keys: () => client.keys(`*${prefix}*`) }
}

/** Requests of Connect do not lead to their response, so a store cannot tell that it has ended. */
const AFTER_THE_END = 'the session is saved after the response has ended'

describe.each(Object.keys(APPS))('on %s', (framework) => {
  const logouts = Object.entries(LOGOUTS).filter(([how]) => framework !== 'Connect' || how !== AFTER_THE_END)

  describe.each(Object.entries(STACKS))('behind %s', (_stack, stack) => {
    test.each(logouts)('%s by visitors who are nobody: nothing stays in Redis', async (_how, logout) => {
      const { app, keys } = site(stack, logout, APPS[framework] as never)
      for (const cookie of COOKIES) {
        expect((await new Visitor(app, cookie).get('/')).text).toBe('bye')
      }
      expect(await keys()).toEqual([])
    })

    test.each(logouts)('%s, and then somebody logs in: the session is there', async (_how, logout) => {
      const { app } = site(stack, logout, APPS[framework] as never)
      const visitor = new Visitor(app)
      await visitor.get('/')
      await visitor.get('/put/userId')
      expect(JSON.parse((await visitor.get('/show')).text)).toMatchObject({ userId: 'x' })
    })

    test('a session that was saved empty, and gets a user in the same request, is stored', async () => {
      const login: Route = (req, res) =>
        req.session.save(() =>
          req.session.regenerate(() => {
            req.session.userId = 'ada'
            req.session.save(() => res.end())
          }),
        )
      const { app } = site(stack, login, APPS[framework] as never)
      const visitor = new Visitor(app)
      await visitor.get('/')
      expect(JSON.parse((await visitor.get('/show')).text)).toMatchObject({ userId: 'ada' })
    })

    test('a token that an anonymous session holds is stored, and goes with the logout', async () => {
      const { app, store } = site(stack, LOGOUTS['Passport logs out'] as Route, APPS[framework] as never)
      const visitor = new Visitor(app)
      await visitor.get('/put/csrfToken')
      expect(await store.get(visitor.sid)).toMatchObject({ csrfToken: 'x' })
      const before = visitor.sid
      await visitor.get('/')
      expect(await store.get(before)).toBeNull()
      expect(JSON.parse((await visitor.get('/show')).text)).not.toHaveProperty('csrfToken')
      expect(await store.length()).toBeLessThanOrEqual(1)
    })
  })

  describe('with saveUninitialized', () => {
    const keeping = (store: RedisStore) => [plain(store, true)]

    test('sessions that nobody has put anything in are stored', async () => {
      const { app, store } = site(keeping, () => undefined, APPS[framework] as never)
      const visitor = new Visitor(app)
      await visitor.get('/show')
      const { sid } = visitor
      expect(await store.exists(sid)).toBe(true)
      await visitor.get('/show')
      expect(visitor.sid).toBe(sid)
    })

    test.each(['the session is saved', 'the session is regenerated', 'Passport logs out'])(
      'also where %s, once a visit has shown the option',
      async (how) => {
        const { app, store } = site(keeping, LOGOUTS[how] as Route, APPS[framework] as never)
        await new Visitor(app).get('/show')
        const visitor = new Visitor(app)
        await visitor.get('/')
        expect(await store.exists(visitor.sid)).toBe(true)
      },
    )
  })
})

test('a session() without saveUninitialized that takes the place of one with it leaves empty sessions out', async () => {
  const { app, store } = site((of) => [plain(of, true)], LOGOUTS['the session is saved'] as Route)
  await new Visitor(app).get('/show')
  await store.clear()
  const later = express()
  later.use(plain(store))
  later.use((req, res, next) => LOGOUTS['Passport logs out']?.(req as never, res, next))
  await new Visitor(later).get('/').catch(() => undefined)
  expect(await store.length()).toBe(0)
})

test('plain data without properties, which an application stores by itself, is stored', async () => {
  const store = new RedisStore({ client, prefix: freshPrefix() })
  await store.set('sid', { cookie: { originalMaxAge: null } } as never)
  expect(await store.exists('sid')).toBe(true)
  await store.clear()
})

test('a session that loses what a failed save may have stored is saved', async () => {
  const route: Route = (req, res) => {
    req.session.userId = 'ada'
    // The save comes too late for its caller, and yet it is written.
    req.session.save()
    delete req.session.userId
    req.session.save(() => res.end())
  }
  const { app, store } = site(STACKS['session()'] as never, route)
  await new Visitor(app).get('/')
  for await (const { session: held } of store.scan()) expect(held).not.toHaveProperty('userId')
  expect(await store.length()).toBe(1)
  await store.clear()
})
