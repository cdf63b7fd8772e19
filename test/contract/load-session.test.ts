import { createServer, IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect as connectTcp, Socket } from 'node:net'
import { type LoadSessionOptions, loadSession, RedisStore, renewSession, secureSession } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { watchCommands } from '../support/commands.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
const secret = 'keyboard cat'
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

beforeEach(() => store.set('sid', { cookie, userId: 'ada', cart: ['tea'] } as never))
afterEach(() => store.clear())
afterAll(() => client.quit())

const signed = (sid: string, by = secret) => encodeURIComponent(`s:${sign(sid, by)}`)
function requestWith(header: string | undefined): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  if (header !== undefined) req.headers.cookie = header
  return req
}
const load = (header: string | undefined, options: Partial<LoadSessionOptions> = {}) =>
  loadSession(requestWith(header), { store, secret, ...options })

test('a signed cookie resolves what the session holds, with its id and handle out of sight', async () => {
  const held = await load(`theme=dark; connect.sid=${signed('sid')}; a=b`)
  expect(held).toEqual({ cookie, userId: 'ada', cart: ['tea'] })
  expect([held?.id, held?.handle]).toEqual(['sid', (await store.info('sid'))?.handle])
  expect(JSON.stringify(held)).not.toMatch(/handle|"id"/)
})

test.each<[string, string | undefined]>([
  ['no cookie at all', undefined],
  ['another cookie', 'theme=dark'],
  ['an unsigned one', 'connect.sid=sid'],
  ['a signature cut off', 'connect.sid=s%3Asid'],
  ['a signature by another secret', `connect.sid=${signed('sid', 'other')}`],
  ['a signature of another id', `connect.sid=${signed('other').replace('other', 'sid')}`],
  ['a broken escape', 'connect.sid=%E0%A4%A'],
  ['a name that only ends like ours', `x-connect.sid=${signed('sid')}`],
  ['what signs no id', `connect.sid=${signed('*')}`],
])('%s is nobody, and Redis never hears of it', async (_name, header) => {
  const log = await watchCommands(client, prefix)
  try {
    expect(await load(header)).toBeNull()
    expect(await log.take()).toEqual([])
  } finally {
    log.stop()
  }
})

test.each([
  ['in quotes', `connect.sid="${signed('sid')}"`],
  ['not encoded', `connect.sid=s:${sign('sid', secret)}`],
  ['between blanks and tabs', `a=b;\t connect.sid =\t${signed('sid')} ; c=d`],
])('a cookie %s is read as express-session does', async (_name, header) => {
  expect(await load(header)).toMatchObject({ userId: 'ada' })
})

test('the first of two cookies counts, as with express-session', async () => {
  expect(await load(`connect.sid=${signed('sid')}; connect.sid=${signed('gone')}`)).not.toBeNull()
  expect(await load(`connect.sid=${signed('gone')}; connect.sid=${signed('sid')}`)).toBeNull()
})

test('any secret of a list is good', async () => {
  expect(await load(`connect.sid=${signed('sid')}`, { secret: ['new', secret] })).toMatchObject({ userId: 'ada' })
  expect(await load(`connect.sid=${signed('sid')}`, { secret: ['new', 'newer'] })).toBeNull()
})

test('an ended session is nobody', async () => {
  await store.destroy('sid')
  expect(await load(`connect.sid=${signed('sid')}`)).toBeNull()
})

test('a session that the application refuses is nobody, and ended', async () => {
  const strict = new RedisStore({ client, prefix, validate: () => false })
  expect(await load(`connect.sid=${signed('sid')}`, { store: strict })).toBeNull()
  expect(await store.exists('sid')).toBe(false)
})

test('is not prolonged', async () => {
  await client.pexpire(`${prefix}sid`, 50_000)
  await load(`connect.sid=${signed('sid')}`)
  expect(await client.pttl(`${prefix}sid`)).toBeLessThanOrEqual(50_000)
})

test('with Redis away it rejects: an outage is not "not logged in"', async () => {
  const away = connect({ lazyConnect: true, enableOfflineQueue: false })
  const lost = new RedisStore({ client: away, prefix })
  await expect(load(`connect.sid=${signed('sid')}`, { store: lost })).rejects.toMatchObject({ status: 503 })
  away.disconnect()
})

test('an id that was renewed is served within its grace, and taken for stolen after it', async () => {
  const app = express()
  app.use(session({ store, secret, resave: false, saveUninitialized: false }), renewSession({ every: 600, grace: 30 }))
  app.get('/', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  const visitor = new Visitor(app)
  await visitor.get('/')
  const [old, key] = [visitor.cookie, `${prefix}${visitor.sid}`]
  await passTime(client, key, 600_000)
  await visitor.get('/')
  await visitor.get('/')
  expect(await load(old)).toMatchObject({ userId: 'ada' })
  expect(await load(visitor.cookie)).toMatchObject({ userId: 'ada' })
  await passTime(client, key, 30_000)
  expect(await load(old)).toBeNull()
  expect(store.counters.reuse).toBe(1)
  expect(await load(visitor.cookie)).toBeNull()
})

describe('a real upgrade', () => {
  let server: Server

  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  test('knows the user of secureSession, and nobody else', async () => {
    const strong = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
    const sessions = secureSession({ client, prefix, secret: strong, user: (held) => held.userId, bind: false })
    const app = express().set('trust proxy', 1).use(sessions)
    app.get('/login', (req, res) => {
      Object.assign(req.session, { userId: 'ada' })
      res.end()
    })
    server = createServer(app).listen(0)
    server.on('upgrade', (req, socket) => {
      void loadSession(req, { store: sessions.store, secret: strong, name: '__Host-sid' }).then((held) => {
        socket.end(`HTTP/1.1 ${held === null ? '401 Unauthorized' : `101 ${held.userId}`}\r\n\r\n`)
      })
    })
    const login = await request(server).get('/login').set('X-Forwarded-Proto', 'https')
    const [setCookie] = login.headers['set-cookie'] as unknown as string[]
    expect(await upgrade(server, setCookie?.split(';')[0])).toBe('HTTP/1.1 101 ada')
    expect(await upgrade(server, undefined)).toBe('HTTP/1.1 401 Unauthorized')
  })
})

/** The status line of the answer. */
function upgrade(server: Server, header: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connectTcp((server.address() as AddressInfo).port)
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('end', () => resolve(answer.split('\r\n')[0] as string))
    socket.on('error', reject)
    const lines = ['GET / HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket']
    if (header !== undefined) lines.push(`Cookie: ${header}`)
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  })
}

test.each<[unknown, RegExp]>([
  [{ secret }, /^"store" option must be a RedisStore/],
  [{ store: new session.MemoryStore(), secret }, /^"store" option/],
  [{ store }, /^"secret" option/],
  [{ store, secret: [] }, /^"secret" option/],
  [{ store, secret: '' }, /^"secret" option/],
  [{ store, secret, name: '' }, /^"name" option/],
  [{ store, secret, cookie: 'x' }, /no option "cookie"/],
  [undefined, /^loadSession takes an options object/],
])('options %# are refused with a TypeError that names the option', async (options, message) => {
  const refused = loadSession(requestWith(undefined), options as never)
  await expect(refused).rejects.toThrow(TypeError)
  await expect(refused).rejects.toThrow(message)
})
