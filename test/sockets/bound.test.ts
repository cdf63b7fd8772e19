import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import connectApp from 'connect'
import {
  bindClient,
  type LoadSessionOptions,
  loadSession,
  type Middleware,
  type OpenSession,
  RedisStore,
  requireFreshLogin,
  rotateOnLogin,
  type SecureSession,
  type SecureSessionOptions,
  secureSession,
} from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { type Socket, Server as SocketServer } from 'socket.io'
import { io } from 'socket.io-client'
import request from 'supertest'
import { WebSocket, WebSocketServer } from 'ws'
import { connect, freshPrefix } from '../support/redis.js'

const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
const SAFARI =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'

/** Where a request comes from, as the only proxy of the site says, and the browser that sends it. */
interface Client {
  address: string
  browser: string
}
const HOME: Client = { address: '203.0.113.7', browser: FIREFOX }
const SAME_NETWORK: Client = { ...HOME, address: '203.0.113.99' }
const MOVED: Client = { ...HOME, address: '198.51.100.4' }
const OTHER_BROWSER: Client = { ...HOME, browser: SAFARI }
const THIEF: Client = { address: '198.51.100.4', browser: SAFARI }

const headersOf = ({ address, browser }: Client, cookie = '') => ({
  'User-Agent': browser,
  'X-Forwarded-For': address,
  ...(cookie !== '' && { cookie }),
})

const redis = connect()
const prefix = freshPrefix()
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(async () => {
  await new RedisStore({ client: redis, prefix }).clear()
  await redis.quit()
})

type Load = (req: IncomingMessage) => Promise<OpenSession | null>

interface Site {
  server: Server
  store: RedisStore
  load: Load
  /** Errors of `load`. */
  errors: unknown[]
  /** The value of `req.sessionBinding` at the last upgrade. */
  binding(): unknown
}

function serve(app: RequestListener, store: RedisStore, load: Load): Site {
  const server = createServer(app).listen(0)
  const errors: unknown[] = []
  let binding: unknown
  const wss = new WebSocketServer({ noServer: true })
  const openWs = async (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (req.url?.startsWith('/socket.io')) return
    const held = await load(req).catch((err: unknown) => void errors.push(err))
    binding = (req as { sessionBinding?: unknown }).sessionBinding
    if (!held?.userId) return void socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
    wss.handleUpgrade(req, socket, head, (ws) => {
      ws.on(
        'close',
        store.watch(held, (reason) => ws.close(4001, reason)),
      )
      ws.send(String(held.userId))
    })
  }
  server.on('upgrade', (req, socket, head) => void openWs(req, socket, head))
  const sockets = new SocketServer(server)
  const openSocketIo = async (socket: Socket, next: (err?: Error) => void) => {
    const held = await load(socket.request).catch((err: unknown) => void errors.push(err))
    socket.data.user = held?.userId
    next(held?.userId ? undefined : new Error('not logged in'))
  }
  sockets.use((socket, next) => void openSocketIo(socket, next))
  sockets.on('connection', (socket) => socket.emit('hello', socket.data.user))
  closing.push(async () => {
    await sockets.close()
    server.closeAllConnections()
    server.close()
  })
  return { server, store, load, errors, binding: () => binding }
}

function routes(app: { use(path: string, handler: unknown): unknown }): void {
  app.use('/login', (req: { session: object }, res: { end(): void }) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  app.use('/show', (req: { session: { userId?: string } }, res: { end(text: string): void }) => {
    res.end(req.session?.userId ?? 'nobody')
  })
}

function secured(
  options: Partial<SecureSessionOptions> = {},
  trustProxy: unknown = 1,
): Site & { sessions: SecureSession } {
  const sessions = secureSession({
    client: redis,
    prefix,
    secret: SECRET,
    user: (held) => held.userId as string,
    cookie: { secure: false },
    ...options,
  } as SecureSessionOptions)
  const app = express().set('trust proxy', trustProxy).use(sessions)
  routes(app)
  app.use('/pay', requireFreshLogin({ within: 300 }), (_req, res) => void res.end('paid'))
  return { ...serve(app, sessions.store, sessions.load), sessions }
}

async function visit({ server }: Site, path: string, client: Client, cookie = '') {
  const response = await request(server).get(path).set(headersOf(client, cookie))
  const [set] = (response.headers['set-cookie'] as unknown as string[] | undefined) ?? []
  return { text: response.text, status: response.status, cookie: set?.split(';')[0] ?? cookie }
}

const logIn = async (site: Site, client = HOME) => (await visit(site, '/login', client)).cookie

/** Opens a socket; resolves with the name of its user, or with the way it is refused. */
const SOCKETS: Record<string, (site: Site, client: Client, cookie: string) => Promise<string>> = {
  ws: async ({ server }, client, cookie) => {
    const { port } = server.address() as AddressInfo
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: headersOf(client, cookie) })
    closing.push(() => socket.terminate())
    return new Promise((resolve) => {
      socket.on('message', (text) => resolve(String(text)))
      socket.on('error', () => resolve('refused'))
    })
  },
  ...Object.fromEntries(
    ['websocket', 'polling'].map((transport) => [
      `Socket.IO (${transport})`,
      async ({ server }: Site, client: Client, cookie: string) => {
        const { port } = server.address() as AddressInfo
        const socket = io(`http://127.0.0.1:${port}`, {
          extraHeaders: headersOf(client, cookie),
          transports: [transport],
          reconnection: false,
        })
        closing.push(() => socket.disconnect())
        return new Promise<string>((resolve) => {
          socket.on('hello', resolve)
          socket.on('connect_error', () => resolve('refused'))
        })
      },
    ]),
  ),
}

describe.each(Object.entries(SOCKETS))('sessions.load, for a socket of %s', (_library, open) => {
  test.each([
    ['the very same client', HOME],
    ['another address of the same network', SAME_NETWORK],
    ['another network, which is observed', MOVED],
  ])('lets its user in from %s', async (_where, client) => {
    const site = secured()
    const cookie = await logIn(site)
    expect(await open(site, client, cookie)).toBe('ada')
    expect(site.errors).toEqual([])
  })

  test('refuses a stolen cookie that HTTP refuses, and ends its session', async () => {
    const site = secured()
    const cookie = await logIn(site)
    expect(await open(site, THIEF, cookie)).toBe('refused')
    expect(site.store.counters).toMatchObject({ mismatch: 1, destroyed: 1 })
    expect(site.errors).toEqual([])
    expect((await visit(site, '/show', HOME, cookie)).text).toBe('nobody')
    expect(await open(site, HOME, cookie)).toBe('refused')
  })

  test('makes the login stale where another browser comes', async () => {
    const site = secured()
    const cookie = await logIn(site)
    expect((await visit(site, '/pay', HOME, cookie)).text).toBe('paid')
    await open(site, OTHER_BROWSER, cookie)
    expect((await visit(site, '/pay', HOME, cookie)).status).toBe(401)
    expect((await visit(site, '/show', HOME, cookie)).text).toBe('ada')
  })

  test('compares nothing with bind: false', async () => {
    const site = secured({ bind: false })
    expect(await open(site, THIEF, await logIn(site))).toBe('ada')
  })
})

/** A request as an application gets it at an upgrade. */
function upgrade({ address, browser }: Client, cookie: string): IncomingMessage {
  const headers = { 'user-agent': browser, 'x-forwarded-for': address, cookie }
  return { url: '/', method: 'GET', headers, socket: { remoteAddress: '127.0.0.1' } } as never
}

const ws = SOCKETS.ws as (typeof SOCKETS)[string]

test('req.sessionBinding says what was found and done, as in a request', async () => {
  const site = secured()
  const cookie = await logIn(site)
  for (const [client, expected] of [
    [HOME, { verdict: 'match', action: 'none' }],
    [MOVED, { verdict: 'network', action: 'observe' }],
    [OTHER_BROWSER, { verdict: 'client', action: 'reauthenticate' }],
    [THIEF, { verdict: 'both', action: 'destroy' }],
  ] as const) {
    await ws(site, client, cookie)
    expect(site.binding()).toEqual(expected)
  }
})

test('onMismatch decides, and is given the request of the socket', async () => {
  const seen: unknown[] = []
  const site = secured({
    bind: {
      onMismatch: ({ verdict, session: held, req }) => {
        seen.push([verdict, held.userId, req.headers.upgrade])
        return 'destroy'
      },
    },
  })
  const cookie = await logIn(site)
  expect(await ws(site, MOVED, cookie)).toBe('refused')
  expect(seen).toEqual([['network', 'ada', 'websocket']])
  expect((await visit(site, '/show', HOME, cookie)).text).toBe('nobody')
})

test('a session that is ended for a thief closes the sockets of its owner', async () => {
  const site = secured()
  const cookie = await logIn(site)
  const { port } = site.server.address() as AddressInfo
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: headersOf(HOME, cookie) })
  await once(socket, 'message')
  expect(await ws(site, THIEF, cookie)).toBe('refused')
  expect((await once(socket, 'close')).map(String)).toEqual(['4001', 'mismatch'])
})

test('sessions.watch is that of the store', async () => {
  const { load, sessions, store } = secured({ bind: { trustProxy: 1 } })
  const cookie = await logIn(secured({ bind: { trustProxy: 1 } }))
  const held = (await load(upgrade(HOME, cookie))) as OpenSession
  const ended = new Promise((resolve) => sessions.watch(held, resolve))
  await store.destroy(held.id)
  expect(await ended).toBe('destroyed')
})

describe('whose address an upgrade has', () => {
  test.each([
    ['one proxy', 1],
    ['proxies by their addresses', 'loopback'],
    ['a function', (_address: string, hop: number) => hop < 1],
  ])('is as Express computes it (%s), also where the thief claims the address of the owner', async (_how, trust) => {
    const site = secured({ bind: { onMismatch: 'destroy' } }, trust)
    const cookie = await logIn(site)
    expect(await ws(site, SAME_NETWORK, cookie)).toBe('ada')
    const claiming = { ...MOVED, address: `${HOME.address}, ${MOVED.address}` }
    expect(await ws(site, claiming, cookie)).toBe('refused')
  })

  test('is that of the peer where Express trusts no proxy, whatever X-Forwarded-For says', async () => {
    const site = secured({ bind: { onMismatch: 'destroy' } }, false)
    expect(await ws(site, MOVED, await logIn(site))).toBe('ada')
  })

  test('nobody knows before Express has had a request: it is refused, and a warning says what to set', async () => {
    const first = secured()
    const cookie = await logIn(first)
    const again = secured()
    const told = once(again.store, 'warning')
    expect(await ws(again, HOME, cookie)).toBe('refused')
    expect(again.errors).toEqual([
      expect.objectContaining({ status: 500, message: expect.stringMatching(/trustProxy/) }),
    ])
    expect(await told).toMatchObject([{ code: 'forwarded-untrusted' }])
    await visit(again, '/show', HOME, cookie)
    expect(await ws(again, HOME, cookie)).toBe('ada')
  })

  test.each<[string, unknown]>([
    ['a number', 1],
    ['a function', (_address: string, hop: number) => hop < 1],
  ])('is known from the start with trustProxy, %s, and requests of HTTP go by it, too', async (_what, trustProxy) => {
    const bind = { trustProxy, onMismatch: 'destroy' } as never
    const cookie = await logIn(secured({ bind }, false))
    const again = secured({ bind }, false)
    expect(await ws(again, SAME_NETWORK, cookie)).toBe('ada')
    expect((await visit(again, '/show', SAME_NETWORK, cookie)).text).toBe('ada')
    expect(await ws(again, MOVED, cookie)).toBe('refused')
  })

  test('is not guessed where two applications on one store trust different proxies', async () => {
    const site = secured()
    const cookie = await logIn(site)
    const other = express().set('trust proxy', 2).use(site.sessions)
    await request(other).get('/').set(headersOf(HOME))
    expect(await ws(site, HOME, cookie)).toBe('refused')
    expect(site.errors).toHaveLength(1)
  })

  test.each([true, -1, 1.5, '1', ['loopback'], null])('trustProxy may not be %j', (trustProxy) => {
    expect(() => bindClient({ secret: 's', trustProxy: trustProxy as never })).toThrow(/^"trustProxy" option must be/)
  })
})

describe('loadSession with bind', () => {
  const bind = { secret: 'binding' }
  function plain(app: unknown, options: Partial<LoadSessionOptions> = {}): Site {
    const store = new RedisStore({ client: redis, prefix })
    const made = app as { use(...handlers: unknown[]): unknown }
    made.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    for (const one of [bindClient(bind), rotateOnLogin({ principal: (held) => held.userId })]) made.use(one)
    routes(made as never)
    return serve(made as never, store, (req) => loadSession(req, { store, secret: 's', bind, ...options }))
  }

  test('refuses a stolen cookie behind Express', async () => {
    const site = plain(express().set('trust proxy', 1))
    const cookie = await logIn(site)
    expect(await ws(site, HOME, cookie)).toBe('ada')
    expect(await ws(site, THIEF, cookie)).toBe('refused')
  })

  test('goes by the peer on Connect, as its bindClient does', async () => {
    const site = plain(connectApp(), { bind: { ...bind, onMismatch: 'destroy' } })
    const cookie = await logIn(site)
    expect(await ws(site, MOVED, cookie)).toBe('ada')
    expect(await ws(site, OTHER_BROWSER, cookie)).toBe('refused')
  })

  test('compares nothing without it', async () => {
    const site = plain(express().set('trust proxy', 1), { bind: undefined as never })
    expect(await ws(site, THIEF, await logIn(site))).toBe('ada')
  })

  test.each([
    [{}, /^"secret" option/],
    [{ secret: 's', onMismatch: 'ignore' }, /^"onMismatch" option/],
    [true, /^bindClient takes an options object/],
  ])('options %# are refused as those of bindClient are', async (wrong, message) => {
    const store = new RedisStore({ client: redis, prefix })
    await expect(loadSession({ headers: {} } as never, { store, secret: 's', bind: wrong as never })).rejects.toThrow(
      message,
    )
  })
})

describe('the middleware at an upgrade', () => {
  const at = (site: Site & { sessions: Middleware }, req: object) =>
    new Promise<unknown>((resolve) => site.sessions(req as never, {} as never, (err) => resolve(err ?? 'passed')))

  test('compares the address that Express would compute', async () => {
    const site = secured({ bind: { onMismatch: 'destroy' } })
    const cookie = await logIn(site)
    const [owner, thief] = [upgrade(SAME_NETWORK, cookie), upgrade(MOVED, cookie)]
    expect(await at(site, owner)).toBe('passed')
    expect(owner).toMatchObject({ session: { userId: 'ada' } })
    expect(await at(site, thief)).toBe('passed')
    expect(thief).not.toHaveProperty('session.userId')
  })

  test('fails where nobody knows whose address it is', async () => {
    const cookie = await logIn(secured())
    expect(await at(secured(), upgrade(HOME, cookie))).toMatchObject({ status: 500 })
  })
})
