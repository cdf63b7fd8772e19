import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  bindClient,
  type Middleware,
  RedisStore,
  renewSession,
  rotateOnLogin,
  type SessionContent,
  saveBeforeResponse,
  secureSession,
} from 'connect-redis-hash'
import express, { type RequestHandler } from 'express'
import session from 'express-session'
import { Server as SocketServer } from 'socket.io'
import { io } from 'socket.io-client'
import { WebSocket, WebSocketServer } from 'ws'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
store.setMaxListeners(50)
const secret = 'k1J3h5G7f9D2s4A6p8O0i1U3y5T7r9E2'
const user = (held: SessionContent) => held.userId

afterAll(async () => {
  await store.clear()
  await client.quit()
})

type Live = session.Session & { userId?: string }
const sessionOf = (req: IncomingMessage) => (req as { session?: Live }).session as Live

/** Middleware, with `session()` in front of each; secureSession brings it along. */
const MIDDLEWARE: Record<string, () => Middleware[]> = {
  'session() alone': () => [],
  'bindClient()': () => [bindClient({ secret })],
  'rotateOnLogin()': () => [rotateOnLogin({ principal: user })],
  'renewSession()': () => [renewSession({ every: 0 })],
  'saveBeforeResponse()': () => [saveBeforeResponse()],
  'secureSession()': () => [secureSession({ client, prefix, secret, user, cookie: { secure: false } })],
  'secureSession() with a cookie that is always sent': () => [
    secureSession({ client, prefix, secret, user, cookie: { secure: false, maxAge: 60_000 } }),
  ],
}

function chainOf(name: string): Middleware[] {
  const own = (MIDDLEWARE[name] as () => Middleware[])()
  const isWhole = name.startsWith('secureSession')
  const plain = session({ store, secret, resave: false, saveUninitialized: false }) as unknown as Middleware
  return isWhole ? own : [plain, ...own]
}

interface Site {
  port: number
  close(): void
}

/** A site whose visitors log in over HTTP; `attach` adds its sockets. */
async function site(chain: Middleware[], attach: (server: ReturnType<typeof createServer>) => void): Promise<Site> {
  const app = express()
  app.use(...(chain as unknown as RequestHandler[]))
  app.get('/login', (req, res) => {
    sessionOf(req).userId = 'ada'
    res.end('in')
  })
  app.get('/who', (req, res) => {
    res.end(String(sessionOf(req).userId))
  })
  const server = createServer(app)
  attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, close }
}

async function logIn(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/login`, { headers: { 'user-agent': 'x' } })
  return String(response.headers.getSetCookie()[0]?.split(';')[0])
}

/** Does as the documents of ws show: where there is no response, an empty object stands for it. */
function withWs(chain: Middleware[], server: ReturnType<typeof createServer>): void {
  const wss = new WebSocketServer({ noServer: true })
  server.on('upgrade', (req, socket, head) => {
    const res = {} as ServerResponse
    const run = ([first, ...rest]: Middleware[]): void => {
      if (first !== undefined) first(req, res, (err) => (err ? socket.end('HTTP/1.1 500 \r\n\r\n') : run(rest)))
      else wss.handleUpgrade(req, socket, head, (ws) => greet(req, ws))
    }
    run(chain)
  })
}

function greet(req: IncomingMessage, ws: WebSocket): void {
  ws.send(`Hello ${sessionOf(req).userId}`)
  ws.on('message', () => {
    Object.assign(sessionOf(req), { seen: 'on the socket' })
    sessionOf(req).save((err) => ws.send(err ? 'not saved' : 'saved'))
  })
}

describe.each(Object.keys(MIDDLEWARE))('%s at an upgrade, with {} for a response', (name) => {
  let at: Site
  beforeAll(async () => {
    const chain = chainOf(name)
    at = await site(chain, (server) => withWs(chain, server))
  })
  afterAll(() => at.close())

  const open = async (cookie: string) => {
    const ws = new WebSocket(`ws://127.0.0.1:${at.port}`, { headers: { cookie, 'user-agent': 'x' } })
    const said = once(ws, 'message')
    await once(ws, 'open')
    return { ws, hello: String((await said)[0]) }
  }

  test('a visitor without a session gets a socket, and the process lives', async () => {
    const { ws, hello } = await open('')
    expect(hello).toBe('Hello undefined')
    ws.close()
    expect(await (await fetch(`http://127.0.0.1:${at.port}/who`)).text()).toBe('undefined')
  })

  test('a visitor who is logged in is known, and what the socket saves is saved', async () => {
    const cookie = await logIn(at.port)
    const { ws, hello } = await open(cookie)
    expect(hello).toBe('Hello ada')
    ws.send('x')
    expect(String((await once(ws, 'message'))[0])).toBe('saved')
    ws.close()
    const held = await Promise.all((await client.keys(`${prefix}*`)).map((key) => client.hget(key, 'seen')))
    expect(held).toContain('"on the socket"')
  })
})

describe.each(Object.keys(MIDDLEWARE))('%s with io.engine.use', (name) => {
  let at: Site
  let sockets: SocketServer
  beforeAll(async () => {
    const chain = chainOf(name)
    at = await site(chain, (server) => {
      sockets = new SocketServer(server)
      for (const mw of chain) sockets.engine.use(mw)
      sockets.on('connection', (socket) => socket.emit('hello', String(sessionOf(socket.request).userId)))
    })
  })
  afterAll(async () => {
    await sockets.close()
    at.close()
  })

  test.each(['websocket', 'polling'])('over %s, visitors are known, or nobody', async (transport) => {
    for (const [cookie, expected] of [
      ['', 'undefined'],
      [await logIn(at.port), 'ada'],
    ] as const) {
      const extraHeaders = { cookie, 'user-agent': 'x' }
      const socket = io(`http://127.0.0.1:${at.port}`, { extraHeaders, transports: [transport], reconnection: false })
      const hello = await new Promise((resolve, reject) => {
        socket.on('hello', resolve)
        socket.on('connect_error', reject)
      })
      socket.disconnect()
      expect(hello).toBe(expected)
    }
  })
})
