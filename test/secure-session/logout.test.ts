import { createServer, type Server } from 'node:http'
import connectFramework from 'connect'
import { endSession, RedisStore, rotateOnLogin, secureSession } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import express4 from 'express4'
import type { Redis } from 'ioredis'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'
import { ANY_CHANNEL } from '../support/server.js'
import { type App, HTTPS, options } from './site.js'

const admin = connect()
const username = 'logout-site'
const prefix = freshPrefix()
let client: Redis
const servers: Server[] = []

beforeAll(async () => {
  await admin.acl('SETUSER', username, 'on', '>p', '~*', ...ANY_CHANNEL, '+@all')
  client = connect({ username, password: 'p', maxRetriesPerRequest: 1 })
})
afterEach(async () => {
  await admin.acl('SETUSER', username, '+@all')
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await new RedisStore({ client, prefix }).clear()
})
afterAll(async () => {
  client.disconnect()
  await admin.acl('DELUSER', username)
  await admin.quit()
})

const promised = (held: App) =>
  new Promise<void>((resolve, reject) => {
    held.destroy((err: unknown) => (err ? reject(err) : resolve()))
  })

/** How a handler may end its session, and answer. */
const WAYS: Record<string, (req: App, res: App, next: App) => unknown> = {
  '/callback': (req, res, next) => req.session.destroy((err: unknown) => (err ? next(err) : res.end('bye'))),
  '/promise': async (req, res) => {
    await promised(req.session)
    res.end('bye')
  },
  '/unawaited': (req, res) => {
    req.session.destroy()
    res.end('bye')
  },
  '/streamed': async (req, res) => {
    await promised(req.session)
    res.write('by')
    res.end('e')
  },
  '/redirect': async (req, res) => {
    await promised(req.session)
    res.writeHead(303, { Location: '/', 'Cache-Control': 'public, max-age=60' }).end()
  },
  '/cached': async (req, res) => {
    res.setHeader('Cache-Control', 'public')
    res.setHeader('CDN-Cache-Control', 'max-age=60')
    await promised(req.session)
    res.writeHead(200, ['Cache-Control', 'public, max-age=60', 'X-Own', 'kept']).end('bye')
  },
  '/end-session': async (req, res) => {
    const done = await endSession(req, res)
    res.end(JSON.stringify({ done, session: req.session === undefined }))
  },
  '/clear': async (req, res) => {
    await endSession(req, res, { clearSiteData: true })
    res.writeHead(200, { 'Cache-Control': 'public' }).end('bye')
  },
  '/clear-more': async (req, res) => {
    await endSession(req, res, { clearSiteData: ['cache', 'storage'] })
    res.end('bye')
  },
  '/reloaded': (req, res) => req.session.reload(() => req.session.destroy(() => res.end('bye'))),
  '/max-age': (req, res) => {
    req.session.cookie.maxAge = 0
    req.session.last = 'words'
    res.end('bye')
  },
}

function routes(req: App, res: App, next: App): unknown {
  const { pathname, searchParams } = new URL(req.url, 'http://x')
  const way = WAYS[pathname]
  if (way !== undefined) return Promise.resolve(way(req, res, next)).catch(next)
  if (pathname === '/login') {
    req.session.userId = searchParams.get('user') ?? 'ada'
    return res.end('hello')
  }
  if (pathname === '/streaming') {
    res.write('by')
    return endSession(req, res).then((done) => res.end(String(done)), next)
  }
  if (pathname === '/nothing') {
    // With unset: 'keep', the session goes on.
    req.session = null
    return res.end('still there')
  }
  if (pathname === '/again') {
    return req.session.destroy(() => {
      req.sessionStore.generate(req)
      req.session.userId = 'bob'
      res.end('hello')
    })
  }
  if (pathname === '/page') return res.end(`page of ${req.session?.userId ?? 'nobody'}`)
  if (pathname === '/public-page') return res.writeHead(200, { 'Cache-Control': 'private, max-age=9' }).end('page')
  if (pathname === '/handled') {
    return req.session.destroy((err: unknown) => {
      res.statusCode = err ? 502 : 200
      res.end('handled')
    })
  }
  return next()
}

function serve(middleware: App[], app: App = express()): Server {
  if (typeof app.set === 'function') app.set('trust proxy', 1)
  for (const one of middleware) app.use(one)
  app.use(routes)
  app.use((err: App, _req: App, res: App, _next: unknown) => {
    res.statusCode = err.status ?? 500
    res.end(err.code ?? err.message)
  })
  const server = createServer(app).listen(0).unref()
  servers.push(server)
  return server
}

const secure = (given: object = {}, app?: App) => serve([secureSession(options({ client, prefix, ...given }))], app)

const plain = (given: object = {}, middleware: App[] = []) =>
  serve([
    session({
      store: new RedisStore({ client, prefix, indexes: { user: (held) => (held as App).userId } }),
      secret: 's',
      resave: false,
      saveUninitialized: false,
      ...given,
    }),
    ...middleware,
  ])

const cookiesOf = (response: request.Response) => (response.headers['set-cookie'] as unknown as string[]) ?? []

async function loggedIn(server: Server): Promise<string> {
  const response = await get(server, '/login')
  return cookiesOf(response)
    .map((line) => line.split(';')[0])
    .join('; ')
}

const get = (server: Server, path: string, cookie = '') =>
  request(server)
    .get(path)
    .set({ ...HTTPS, ...(cookie && { Cookie: cookie }) })

const keys = () => admin.keys(`${prefix}*`)
const EPOCH = 'Expires=Thu, 01 Jan 1970 00:00:00 GMT'

describe('with secureSession, a request that has ended its session', () => {
  test.each(Object.keys(WAYS).filter((way) => way !== '/max-age'))(
    'by %s expires the cookie with its own attributes, out of every cache',
    async (way) => {
      const server = secure()
      const response = await get(server, way, await loggedIn(server))
      expect(response.status).toBe(way === '/redirect' ? 303 : 200)
      expect(cookiesOf(response)).toEqual([`__Host-sid=; Path=/; ${EPOCH}; HttpOnly; Secure; SameSite=Lax`])
      expect(response.headers['cache-control']).toBe('no-store')
      expect(response.headers['cdn-cache-control']).toBeUndefined()
      expect(await keys()).toEqual([])
    },
  )

  test.each<[string, object, string]>([
    ['strict', { cookie: { sameSite: 'strict' } }, `__Host-sid=; Path=/; ${EPOCH}; HttpOnly; Secure; SameSite=Strict`],
    [
      'partitioned, with a maxAge and a priority',
      { cookie: { partitioned: true, maxAge: 60_000, priority: 'high' } },
      `__Host-sid=; Path=/; ${EPOCH}; HttpOnly; Secure; Partitioned; Priority=High; SameSite=Lax`,
    ],
    ['named', { name: '__Host-shop' }, `__Host-shop=; Path=/; ${EPOCH}; HttpOnly; Secure; SameSite=Lax`],
    ['without TLS', { cookie: { secure: false } }, `sid=; Path=/; ${EPOCH}; HttpOnly; SameSite=Lax`],
  ])('expires a cookie that is %s', async (_what, given, expected) => {
    const server = secure(given)
    const response = await get(server, '/callback', await loggedIn(server))
    expect(cookiesOf(response).map(sorted)).toEqual([sorted(expected)])
  })

  test.each([
    ['Express 4', express4],
    ['Connect', connectFramework],
  ])('expires the cookie in %s, too', async (_name, framework) => {
    const server = secure({}, (framework as App)())
    const response = await get(server, '/promise', await loggedIn(server))
    expect(cookiesOf(response)).toEqual([expect.stringContaining('__Host-sid=; Path=/')])
  })

  test('keeps the other headers of its handler', async () => {
    const server = secure()
    expect((await get(server, '/cached', await loggedIn(server))).headers['x-own']).toBe('kept')
  })

  test('and has got another one sends the cookie of that one', async () => {
    const server = secure()
    const response = await get(server, '/again', await loggedIn(server))
    expect(cookiesOf(response)).toEqual([expect.stringMatching(/^__Host-sid=s%3A/)])
  })

  test('and sets it to null meanwhile goes on with it', async () => {
    const server = secure()
    const cookie = await loggedIn(server)
    expect(cookiesOf(await get(server, '/nothing', cookie))).toEqual([])
    expect((await get(server, '/page', cookie)).text).toBe('page of ada')
  })

  test('whose session was gone already expires the cookie, too', async () => {
    const server = secure()
    const cookie = await loggedIn(server)
    await get(server, '/callback', cookie)
    for (const way of ['/callback', '/unawaited', '/end-session', '/promise']) {
      const response = await get(server, way, cookie)
      expect([way, response.status, cookiesOf(response)]).toEqual([way, 200, [expect.stringContaining('__Host-sid=;')]])
    }
    expect(await keys()).toEqual([])
  })

  test('expires nothing in a request beside it: its browser may have logged in again', async () => {
    const sessions = secureSession(options({ client, prefix }))
    const server = serve([
      sessions,
      async (req: App, _res: App, next: App) => {
        if (req.url === '/page') await sessions.store.destroy(req.sessionID)
        next()
      },
    ])
    expect(cookiesOf(await get(server, '/page', await loggedIn(server)))).toEqual([])
  })

  test('that bindClient has ended as stolen expires the cookie of the thief', async () => {
    const server = secure({ bind: { trustProxy: 1, onMismatch: 'destroy' } })
    const cookie = await loggedIn(server)
    const response = await get(server, '/page', cookie).set('User-Agent', 'curl/8.0')
    expect([response.text, cookiesOf(response)]).toEqual([
      'page of nobody',
      [expect.stringContaining('__Host-sid=; Path=/')],
    ])
  })
})

describe('a logout that has failed', () => {
  const refuse = () => admin.acl('SETUSER', username, '-del', '-unlink', '-evalsha', '-eval')

  test.each(['/callback', '/promise', '/unawaited', '/end-session'])(
    'by %s is an error, and leaves the cookie for another try',
    async (way) => {
      const server = secure()
      const cookie = await loggedIn(server)
      await refuse()
      const response = await get(server, way, cookie)
      expect([response.status, cookiesOf(response)]).toEqual([503, []])
      await admin.acl('SETUSER', username, '+@all')
      expect((await get(server, '/page', cookie)).text).toBe('page of ada')
    },
  )

  test('is answered by the application where it has asked', async () => {
    const server = secure()
    const cookie = await loggedIn(server)
    await refuse()
    const response = await get(server, '/handled', cookie)
    expect([response.status, response.text, cookiesOf(response)]).toEqual([502, 'handled', []])
  })
})

describe('endSession()', () => {
  test('says which site data the browser shall clear', async () => {
    const server = secure()
    const response = await get(server, '/clear', await loggedIn(server))
    expect(response.headers['clear-site-data']).toBe('"cookies", "storage"')
    expect(response.headers['cache-control']).toBe('no-store')
    const more = await get(server, '/clear-more', await loggedIn(server))
    expect(more.headers['clear-site-data']).toBe('"cache", "storage"')
    expect((await get(server, '/end-session', await loggedIn(server))).headers['clear-site-data']).toBeUndefined()
  })

  test.each<[string, object, string]>([
    ['by default', {}, `connect.sid=; Path=/; ${EPOCH}; HttpOnly`],
    [
      'with attributes of its own',
      { name: 'shop', cookie: { path: '/', domain: 'example.org', sameSite: 'none', secure: true }, proxy: true },
      `shop=; Domain=example.org; Path=/; ${EPOCH}; HttpOnly; Secure; SameSite=None`,
    ],
  ])('works without secureSession, %s', async (_what, given, expected) => {
    const server = plain(given)
    const cookie = await loggedIn(server)
    for (const _ of ['a session', 'a session that is gone']) {
      const response = await get(server, '/end-session', cookie)
      expect(JSON.parse(response.text)).toEqual({ done: true, session: true })
      expect(cookiesOf(response)).toEqual([expected])
      expect(response.headers['cache-control']).toBe('no-store')
    }
    expect(await keys()).toEqual([])
  })

  test('expires no cookie that is not of a session', async () => {
    const server = plain({ name: 'shop' })
    expect(cookiesOf(await get(server, '/end-session', 'theme=dark; other=s%3Aabc.def'))).toEqual([])
  })

  test('after a response has begun ends the session, and says that the cookie stays', async () => {
    const server = plain()
    const cookie = await loggedIn(server)
    const response = await get(server, '/streaming', cookie)
    expect([response.text, cookiesOf(response)]).toEqual(['byfalse', []])
    expect(await keys()).toEqual([])
  })

  test('of a socket ends the session', async () => {
    const sessions = secureSession(options({ client, prefix }))
    const server = serve([sessions])
    const cookie = await loggedIn(server)
    const req = { method: 'GET', url: '/', originalUrl: '/', headers: { cookie }, socket: { encrypted: true } }
    await new Promise<void>((resolve, reject) => {
      ;(sessions as App)(req, {}, (err: unknown) => (err ? reject(err) : resolve()))
    })
    expect(await endSession(req, {})).toBe(false)
    expect(await keys()).toEqual([])
  })

  test.each([{ clearSiteData: 'cookies' }, { clearSiteData: [] }, { clearSiteData: ['cookie'] }, { clear: true }])(
    'refuses the options %j',
    async (given) => {
      await expect(endSession({}, {}, given as never)).rejects.toThrow(TypeError)
    },
  )

  test('needs a session before it', async () => {
    await expect(endSession({}, {})).rejects.toThrow(/endSession\(\) needs a session/)
  })
})

describe('cookie.maxAge = 0 and a change', () => {
  test.each<[string, () => Server]>([
    ['express-session alone', () => plain()],
    ['rotateOnLogin', () => plain({}, [rotateOnLogin()])],
    ['rolling', () => plain({ rolling: true }, [rotateOnLogin()])],
    ['secureSession', () => secure()],
    ['secureSession with a maxAge', () => secure({ cookie: { maxAge: 60_000 } })],
  ])('ends the session and expires the cookie, with %s', async (_what, make) => {
    const server = make()
    const cookie = await loggedIn(server)
    const response = await get(server, '/max-age', cookie)
    const [line = ''] = cookiesOf(response)
    expect(line).toMatch(/^(?:__Host-|connect\.)sid=/)
    expect(new Date(/Expires=([^;]+)/.exec(line)?.[1] ?? 'never').getTime()).toBeLessThanOrEqual(Date.now())
    expect(await keys()).toEqual([])
    expect((await get(server, '/page', cookie)).text).toBe('page of nobody')
  })
})

describe('a page', () => {
  test('of a user is kept out of caches, unless its handler says otherwise', async () => {
    const server = secure()
    const cookie = await loggedIn(server)
    expect((await get(server, '/page', cookie)).headers['cache-control']).toBe('no-store')
    expect((await get(server, '/public-page', cookie)).headers['cache-control']).toBe('private, max-age=9')
  })

  test('of nobody is left as it is', async () => {
    expect((await get(secure(), '/page')).headers['cache-control']).toBeUndefined()
  })
})

const sorted = (line: string) => line.split('; ').toSorted().join('; ')
