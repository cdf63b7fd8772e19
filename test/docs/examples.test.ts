import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type RequestListener, request as requestOf, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  bindClient,
  bindDevice,
  RedisStore,
  renewSession,
  requireBoundDevice,
  rotateOnLogin,
  type SecureSessionOptions,
  saveBeforeResponse,
  secureSession,
} from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'
import request from 'supertest'
import { WebSocket, WebSocketServer } from 'ws'
import { Device } from '../support/device.js'
import { DeviceBrowser } from '../support/device-browser.js'
import { fileOf } from '../support/links.js'
import { example, examplesOf } from '../support/markdown.js'
import { isCaching } from '../support/near-cache.js'
import type { NodeRedis } from '../support/node-redis.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'
import { packageHere, runExample } from '../support/run-example.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })

afterAll(async () => {
  await store.clear()
  await client.quit()
})

/** Runs an example with these names in reach. @returns the value of its last expression */
function run(page: string, name: string, scope: Record<string, unknown>, last = ''): unknown {
  return new Function(...Object.keys(scope), last + example(page, 'run', name))(...Object.values(scope))
}

test('docs/binding.md: the app binds a session to its client, and sees another client', async () => {
  const app = express()
  const env = { env: { BINDING_SECRET: 'binding secret' } }
  run('docs/binding.md', 'binding', { app, session, store, secret: 's', bindClient, rotateOnLogin, process: env })
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  app.get('/', (req, res) => {
    res.json(req.sessionBinding)
  })
  const visitor = request.agent(app)
  await visitor.get('/login')
  await visitor.get('/').expect({ verdict: 'match', action: 'none' })
  await visitor.get('/').set('User-Agent', 'curl/8.5.0').expect({ verdict: 'client', action: 'reauthenticate' })
})

test('docs/device-bound.md: the site binds a session, serves its device alone, and reports the others', async () => {
  const app = express().set('trust proxy', 1)
  const told: unknown[][] = []
  const console = { warn: (...words: unknown[]) => told.push(words), error: (...words: unknown[]) => told.push(words) }
  const transfer = (_req: unknown, res: express.Response) => res.send('done')
  const scope = {
    ...{ app, client, secret: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT', transfer, requireBoundDevice },
    secureSession: (options: object) => secureSession({ ...options, prefix } as SecureSessionOptions),
  }
  const sessions = new Function(
    ...Object.keys(scope),
    `${example('docs/device-bound.md', 'run', 'secure')};return sessions`,
  )(...Object.values(scope))
  run('docs/device-bound.md', 'watch', { sessions, console })
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  const server = createServer(app).listen(0)
  const ada = new DeviceBrowser(server)
  await ada.logIn('/login')
  expect((await ada.send('post', '/transfer')).text).toBe('done')
  const thief = ada.stolen(['__Host-sid'])
  expect((await thief.send('post', '/transfer')).status).toBe(403)
  await ada.refresh(() => new Device().proof('x'))
  expect(told).toEqual([['another key', expect.any(String), 'signature']])
  server.close()
})

test('docs/device-bound.md: the site to try it with binds, and knows a copy of the session cookie', async () => {
  const lines: string[] = []
  const served: { app?: RequestListener } = {}
  const modules = {
    'node:crypto': { randomBytes },
    'node:fs': { readFileSync: String },
    // Its TLS, and its port, are those of a proxy here.
    'node:https': {
      createServer: (_tls: object, app: express.Express) => {
        served.app = app.set('trust proxy', 1)
        return { listen: () => undefined }
      },
    },
    'connect-redis-hash': packageHere(client, freshPrefix()),
    express: { default: express },
  }
  const console = { log: (...words: string[]) => void lines.push(words.slice(1).join(' ')) }
  await runExample('docs/device-bound.md', 'try', { modules, scope: { console } })
  const server = createServer(served.app).listen(0)
  const ada = new DeviceBrowser(server)
  await ada.logIn('/login')
  expect((await ada.get('/')).body).toEqual({ user: 'ada', device: { bound: true, fresh: true } })
  expect(lines).toEqual(['is bound to its device'])
  server.close()
})

test('docs/device-bound.md: one by one, a login offers to register', async () => {
  const app = express().set('trust proxy', 1)
  run('docs/device-bound.md', 'plain', { app, session, store, secret: 's', bindDevice, rotateOnLogin })
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  const ada = new DeviceBrowser(app as never)
  await ada.logIn('/login')
  expect(ada.jar.has('__Host-device')).toBe(true)
})

test('docs/example-app.md: the proxy tells the shop of TLS and of the visitor, and passes all else', async () => {
  const shop = createServer((req, res) => {
    const told = ['x-forwarded-proto', 'x-forwarded-for', 'host'].map((name) => req.headers[name])
    req.setEncoding('utf8').on('data', (body) => {
      res.writeHead(303, { Location: '/', 'Set-Cookie': ['a=1', 'b=2'] }).end(JSON.stringify([req.url, told, body]))
    })
  }).listen(0)
  const { port } = shop.address() as AddressInfo
  const served: { listener?: RequestListener } = {}
  const modules = {
    'node:fs': { readFileSync: String },
    'node:http': { request: (options: object, done: () => void) => requestOf({ ...options, port }, done) },
    // Its TLS, and its port, are left out here.
    'node:https': {
      createServer: (_tls: object, listener: RequestListener) => {
        served.listener = listener
        return { listen: () => undefined }
      },
    },
  }
  await runExample('docs/example-app.md', 'proxy', { modules })
  const proxy = createServer(served.listener).listen(0)
  const sent = await request(proxy).post('/steal?x=1').set({ Host: 'localhost:8443' }).type('text').send('body')
  expect([sent.status, sent.headers['set-cookie']]).toEqual([303, ['a=1', 'b=2']])
  expect(JSON.parse(sent.text)).toEqual([
    '/steal?x=1',
    ['https', expect.stringContaining('127.0.0.1'), 'localhost:8443'],
    'body',
  ])
  shop.close()
  shop.closeAllConnections()
  await expect(request(proxy).get('/')).rejects.toThrow()
  proxy.close()
})

test('docs/binding.md: the function for mismatches makes a middleware', () => {
  expect(run('docs/binding.md', 'mismatch', { bindClient, secret: 's' }, 'return ')).toBeInstanceOf(Function)
})

test('docs/binding.md: a socket greets its user, and refuses another browser with their cookie', async () => {
  const secret = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
  const sessions = secureSession({
    client,
    prefix,
    secret,
    user: (held) => held.userId as string,
    cookie: { secure: false },
  })
  const app = express().use(sessions)
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  const server = createServer(app).listen(0)
  run('docs/binding.md', 'socket-binding', {
    STATUS_CODES,
    server,
    sessions,
    wss: new WebSocketServer({ noServer: true }),
  })
  const login = await request(server).get('/login').set('User-Agent', 'curl/8.5.0')
  const cookie = String(login.headers['set-cookie']?.[0]?.split(';')[0])
  const open = (userAgent: string) => {
    const { port } = server.address() as AddressInfo
    return new WebSocket(`ws://127.0.0.1:${port}`, { headers: { cookie, 'User-Agent': userAgent } })
  }
  const socket = open('curl/8.5.0')
  expect(String((await once(socket, 'message'))[0])).toBe('Hello ada')
  socket.terminate()
  expect(String((await once(open('Other/1.0'), 'error'))[0])).toMatch(/401/)
  server.closeAllConnections()
  server.close()
})

test('docs/renewal.md: the app renews ids, and tells of a stolen one', async () => {
  const app = express()
  const env = { env: { BINDING_SECRET: 'binding secret' } }
  const told: unknown[] = []
  const console = { warn: (...args: unknown[]) => told.push(args) }
  const middleware = { session, bindClient, renewSession, saveBeforeResponse }
  run('docs/renewal.md', 'renewal', { app, store, secret: 's', process: env, console, ...middleware })
  app.get('/', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  const visitor = new Visitor(app)
  await visitor.get('/')
  const [stolen, key] = [new Visitor(app, visitor.cookie), `${prefix}${visitor.sid}`]
  await passTime(client, key, 900_000)
  await visitor.get('/')
  await visitor.get('/')
  expect(visitor.sid).not.toBe(stolen.sid)
  await passTime(client, key, 30_000)
  await stolen.get('/')
  expect(told).toEqual([['an old id came back, session ended:', expect.any(String)]])
  expect(await client.exists(key)).toBe(0)
})

test('docs/errors.md: the error handler answers 503 for Redis, and leaves other errors alone', async () => {
  const app = express()
  app.get('/:code', (req, _res, next) => {
    next(Object.assign(new Error('x'), { code: req.params.code, status: req.params.code === 'OTHER' ? 418 : 503 }))
  })
  run('docs/errors.md', 'handler', { app })
  app.use(((err, _req, res, _next) => {
    res.status(err.status).end('other')
  }) as express.ErrorRequestHandler)
  await request(app).get('/ERR_SESSION_TIMEOUT').expect(503, 'Try again in a moment.')
  await request(app).get('/OTHER').expect(418, 'other')
})

test('docs/migrating.md: thorough ends a session that connect-redis wrote and no index names', async () => {
  const own = freshPrefix()
  const indexed = new RedisStore({ client, prefix: own, indexes: { user: (held) => held.userId } })
  const cookie = { originalMaxAge: null, expires: null, path: '/' }
  await client.set(`${own}old`, JSON.stringify({ cookie, userId: 'ada' }), 'EX', 3600)
  await client.set(`${own}other`, JSON.stringify({ cookie, userId: 'bob' }), 'EX', 3600)
  expect(await indexed.destroyBy('user', 'ada')).toBe(0)
  const call = example('docs/migrating.md', 'run', 'thorough').trim().replace('await ', 'return ')
  expect(await new Function('store', 'userId', call)(indexed, 'ada')).toBe(1)
  expect(await indexed.ids()).toEqual(['other'])
  await indexed.clear()
})

test('docs/migrating.md: the store of the first phase writes what connect-redis reads', async () => {
  const own = freshPrefix()
  const Here = class extends RedisStore {
    constructor(options: object) {
      super({ ...options, prefix: own } as never)
    }
  }
  const first = new Function('RedisStore', 'client', `${example('docs/migrating.md', 'run', 'phase-1')}return store`)(
    Here,
    client,
  ) as RedisStore
  await first.set('new', { cookie: { originalMaxAge: null }, userId: 'ada' } as never)
  expect(JSON.parse((await client.get(`${own}new`)) ?? '')).toMatchObject({ userId: 'ada' })
  expect(await first.destroyBy('user' as never, 'ada')).toBe(1)
})

test('docs/migrating.md: acceptFrom takes over the cookie of session()', async () => {
  const own = freshPrefix()
  const env = { SESSION_SECRET: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT', OLD_SESSION_SECRET: 'keyboard cat' }
  const text = example('docs/migrating.md', 'run', 'accept-from')
  // The page gives a date, and tests run at any time.
  const code = text.replace(/until: '[\d-]+'/, `until: '${new Date(Date.now() + 86_400_000).toISOString()}'`)
  const secure = (options: object) => secureSession({ ...options, prefix: own } as SecureSessionOptions)
  const sessions = new Function('secureSession', 'client', 'process', `${code}return sessions`)(secure, client, { env })
  sessions.store.on('warning', () => undefined)
  await client.set(
    `${own}old`,
    JSON.stringify({ cookie: { originalMaxAge: null, path: '/' }, userId: 'ada' }),
    'EX',
    60,
  )
  const app = express().set('trust proxy', 1).use(sessions)
  app.get('/', (req, res) => void res.json(req.session))
  const answer = await request(app)
    .get('/')
    .set('X-Forwarded-Proto', 'https')
    .set('Cookie', `connect.sid=${encodeURIComponent(`s:${sign('old', env.OLD_SESSION_SECRET)}`)}`)
  expect(answer.body).toMatchObject({ userId: 'ada' })
  expect(String(answer.headers['set-cookie'])).toMatch(/__Host-sid=.*connect\.sid=;|connect\.sid=;.*__Host-sid=/)
  await sessions.store.clear()
})

test('docs/clients.md: the example connects node-redis, with settings that do no harm', async () => {
  const body = example('docs/clients.md', 'run', 'node-redis').replace(/^import .*$/gm, '')
  const AsyncFunction = (async () => {}).constructor as new (
    ...names: string[]
  ) => (...args: unknown[]) => Promise<unknown>
  const made = new AsyncFunction('createClient', 'RedisStore', 'process', `${body}\nreturn { client, store }`)
  const env = { REDIS_URL: `unix://${socketPath()}` }
  const { client: nodeRedis, store: over } = (await made(createClient, RedisStore, { env })) as {
    client: NodeRedis
    store: RedisStore
  }
  const warnings: unknown[] = []
  over.on('warning', (warning) => warnings.push(warning))
  expect(await over.ping()).toBeGreaterThanOrEqual(0)
  expect(warnings).toEqual([])
  await over.close()
  await nodeRedis.close()
})

test('docs/clients.md: every setting that does harm has a row', () => {
  const source = readFileSync('src/redis/clients/node-redis/settings.ts', 'utf8')
  const named = [...source.matchAll(/yield '.*?"([\w.]+)[":]/g)].map(([, name = '']) => name)
  expect(named.length).toBeGreaterThan(4)
  const rows = readFileSync('docs/clients.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
  for (const name of named) expect(rows.some((row) => row.split('|')[1]?.includes(name))).toBe(true)
})

describe('docs/merging.md', () => {
  const scope = {
    client,
    RedisStore: class extends RedisStore {
      constructor(options: object) {
        super({ prefix, timeout: 30_000, ...options } as never)
      }
    },
  }

  test('the cart of the example has what all requests have put there, and a conflict names its path', async () => {
    const app = express()
    const told: unknown[][] = []
    const merging = new Function(
      'client',
      'RedisStore',
      'app',
      `${example('docs/merging.md', 'run', 'merging')};return store`,
    )
    app.use((req, res, next) => sessions(req, res, next))
    app.get('/sid', (req, res) => res.send(req.sessionID))
    const ours = merging(scope.client, scope.RedisStore, app) as RedisStore
    const sessions = session({ store: ours, secret: 's', resave: false, saveUninitialized: false })
    run('docs/merging.md', 'conflict', { store: ours, console: { warn: (...words: unknown[]) => told.push(words) } })
    const visitor = request.agent(app)
    await visitor.post('/cart/bread')
    await Promise.all(Array.from({ length: 20 }, (_, i) => visitor.post(`/cart/article-${i}`)))
    const { text: sid } = await visitor.get('/sid')
    const [one, other] = (await Promise.all([ours.get(sid), ours.get(sid)])) as unknown as { cart: object }[]
    expect(Object.keys(one?.cart ?? {})).toHaveLength(21)
    expect(told).toEqual([])
    for (const [count, at] of [one, other].entries()) {
      Object.assign(at as object, { cart: { bread: { count: count + 2 } } })
      await ours.set(sid, at as never)
    }
    expect(told).toEqual([['two requests have set', 'cart.bread.count', 'of', expect.any(String)]])
  })

  test('the functions of the example merge points and what was seen', async () => {
    const make = new Function('client', 'RedisStore', `${example('docs/merging.md', 'run', 'function')};return store`)
    const ours = make(scope.client, scope.RedisStore) as RedisStore
    type Played = { points: number; seen: number[] }
    await ours.set('player', { cookie: { originalMaxAge: null }, points: 10, seen: [1] } as never)
    const requests = [await ours.get('player'), await ours.get('player')] as unknown as Played[]
    for (const [i, at] of requests.entries()) {
      at.points += 5
      at.seen.push(i + 2)
      await ours.set('player', at as never)
    }
    expect(await ours.read('player')).toMatchObject({ points: 20, seen: [1, 2, 3] })
  })

  test('the paths of the example do what their comments say', async () => {
    await store.set('paths', {
      cookie: { originalMaxAge: null },
      preferences: { theme: 'dark', font: 'serif' },
    } as never)
    const results: unknown[] = []
    const body = example('docs/merging.md', 'run', 'paths').replace(
      /^await (.+?\)) +\/\/.*$/gm,
      'results.push(await $1)',
    )
    const steps = new Function('store', 'sid', 'results', `return (async () => {${body}})()`)
    await steps(store, 'paths', results)
    expect(results).toEqual([true, 'light', true])
    expect(await store.read('paths')).toMatchObject({ preferences: { font: 'serif' } })
  })
})

test('docs/near-cache.md: with the option, a session that is read again is not asked for', async () => {
  const scope = { ...(packageHere(client, prefix) as { RedisStore: typeof RedisStore }), client }
  const caching = (await runExample('docs/near-cache.md', 'near-cache', { scope, after: 'return store' })) as RedisStore
  await isCaching(caching, { client })
  expect(caching.cacheStats?.hits).toBeGreaterThan(0)
  await caching.close()
})

test('docs/troubleshooting.md: the listeners hear what happens', async () => {
  const printed: unknown[][] = []
  const print = (...args: unknown[]) => printed.push(args)
  const modules = { 'connect-redis-hash': packageHere(client, prefix) }
  const scope = { console: { warn: print, error: print, log: print }, process: { env: {} } }
  const heard = await runExample('docs/troubleshooting.md', 'watch', { modules, scope, after: 'return store' })
  const watched = heard as RedisStore
  watched.emit('warning', { code: 'cache-off', message: 'why' })
  watched.emit('destroyed', { handle: 'h', reason: 'reuse' })
  watched.emit('unavailable', { code: 'ERR_SESSION_TIMEOUT' })
  expect(printed).toEqual([
    ['cache-off', 'why'],
    ['session', 'h', 'ended:', 'reuse'],
    ['sessions are away:', 'ERR_SESSION_TIMEOUT'],
  ])
})

test('docs/near-cache.md: what the store says of its cache, and which warning there is', async () => {
  const caching = new RedisStore({ client, prefix, cache: { max: 10, maxAge: 60 } })
  const printed: unknown[][] = []
  const print = (...args: unknown[]) => printed.push(args)
  run('docs/near-cache.md', 'stats', { store: caching, console: { log: print, warn: print } })
  caching.emit('warning', { code: 'cache-off', message: 'why' })
  expect(printed).toEqual([[{ hits: 0, misses: 0, entries: 0 }], ['cache-off', 'why']])
  await caching.close()
})

test('docs/near-cache.md: every row of how late it can be links the test that measured it, and that test exists', () => {
  const rows = readFileSync('docs/near-cache.md', 'utf8')
    .split('\n')
    .filter((line) => line.includes('.test.ts)'))
  expect(rows.length).toBeGreaterThan(8)
  for (const row of rows) {
    const [, target = '', title = ''] = /\]\((.+?)\): `(.+)` \|$/.exec(row) ?? []
    const source = readFileSync(String(fileOf('docs/near-cache.md', target)), 'utf8')
    expect([title, source.includes(`'${title}'`)]).toEqual([title, true])
  }
})

test('every error code has an entry in docs/errors.md, and every entry is a code', () => {
  const codes = [...readFileSync('src/errors.ts', 'utf8').matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code)
  const entries = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^### (ERR_\w+)$/gm)].map(([, code]) => code)
  expect(codes.length).toBeGreaterThan(10)
  expect(entries.toSorted()).toEqual(codes.toSorted())
})

test('no example of a page is left to trust: each is marked, and a test names it', () => {
  const read = (folder: string, ending: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(ending) && !name.includes('node_modules'))
      .map((name) => readFileSync(`${folder}/${name}`, 'utf8'))
  const tests = [...read('test', '.ts'), ...read('test/foreign', '.mjs')].join('')
  for (const page of readdirSync('docs').filter((name) => name.endsWith('.md'))) {
    const text = readFileSync(`docs/${page}`, 'utf8')
    const examples = examplesOf(`docs/${page}`)
    for (const { name } of examples) {
      // The runbook's test plays such a block in place of the other one.
      const played = name.replace(/-each$/, '')
      expect([page, name, tests.includes(`'${played}'`)]).toEqual([page, name, true])
    }
    // docs/api.md quotes declarations.
    if (page !== 'api.md') expect([page, text.match(/(?<!-->\n)^```(js|ts|diff|console)$/gm)]).toEqual([page, null])
  }
})

test('the pages name the user of a session in one way', () => {
  const pages = ['README.md', 'docs/login.md', 'docs/secure-session.md', 'docs/sessions-by-user.md', 'docs/sockets.md']
  for (const page of pages) {
    const text = readFileSync(page, 'utf8')
    expect(text).toMatch(/session\.userId/)
    expect([page, /session\.user\b/.test(text)]).toEqual([page, false])
  }
})
