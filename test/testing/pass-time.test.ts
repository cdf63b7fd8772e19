import { createServer } from 'node:http'
import {
  RedisStore,
  requireFreshLogin,
  type SecureSession,
  type SessionContent,
  secureSession,
} from 'connect-redis-hash'
import { loginCookie, passTime } from 'connect-redis-hash/testing'
import express, { type RequestHandler } from 'express'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'

const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
const [MINUTE, HOUR] = [60, 3600]
const client = connect()
const ended: string[] = []
let sessions: SecureSession
let site: ReturnType<typeof createServer>

beforeEach(() => {
  ended.length = 0
  sessions = secureSession({
    client,
    prefix: freshPrefix(),
    secret: SECRET,
    user: (held: SessionContent) => held.userId as string,
    cookie: { secure: false },
    preset: 'nist-aal2',
    touchInterval: 0,
    timeout: 60_000,
    activity: true,
    onEnd: ({ session }: { session: SessionContent }, reason: string) => void ended.push(`${session.userId} ${reason}`),
  } as never) as unknown as SecureSession
  const app = express()
  app.use(sessions as RequestHandler)
  app.get('/', (req, res) => {
    res.json((req.session as unknown as SessionContent).userId ?? null)
  })
  app.get('/safe', requireFreshLogin({ within: 10 * MINUTE }), (_req, res) => {
    res.json('safe')
  })
  app.use(((err: { code?: string }, _req, res, _next) => {
    res.json(err.code)
  }) as express.ErrorRequestHandler)
  site = createServer(app)
})
afterEach(() => sessions.store.close())
afterAll(() => client.quit())

const login = (userId = 'u-1') => loginCookie(sessions.store, { userId } as never, { secret: SECRET, name: 'sid' })
const pass = (seconds: number) => passTime(sessions.store, seconds)

async function visit(cookie: string, path = '/') {
  const { body, headers } = await request(site).get(path).set('Cookie', cookie)
  return { answer: body as unknown, newCookie: (headers['set-cookie'] as unknown as string[] | undefined)?.[0] }
}

test('a session is there until its idle timeout has passed, and no longer', async () => {
  const cookie = await login()
  await pass(59 * MINUTE)
  expect((await visit(cookie)).answer).toBe('u-1')
  await pass(61 * MINUTE)
  expect((await visit(cookie)).answer).toBeNull()
})

test('a session that is used all the time ends after the absolute timeout', async () => {
  const cookie = await login()
  for (let hours = 0; hours < 24; hours++) {
    expect(await sessions.store.exists(sidIn(cookie))).toBe(true)
    expect((await visit(cookie)).answer).toBe('u-1')
    // The rest of the hour is time for a slow machine.
    await pass(HOUR - 30)
  }
  // Now only the absolute timeout can end it within half an hour.
  expect((await visit(cookie)).answer).toBe('u-1')
  await pass(HOUR / 2)
  expect(await sessions.store.exists(sidIn(cookie))).toBe(false)
})

test('a login becomes stale', async () => {
  const cookie = await login()
  await pass(9 * MINUTE)
  expect((await visit(cookie, '/safe')).answer).toBe('safe')
  await pass(2 * MINUTE)
  expect((await visit(cookie, '/safe')).answer).toBe('ERR_SESSION_LOGIN_NOT_FRESH')
})

test('an id is renewed when that is due', async () => {
  const cookie = await login()
  await pass(14 * MINUTE)
  expect((await visit(cookie)).newCookie).toBeUndefined()
  await pass(2 * MINUTE)
  const { newCookie } = await visit(cookie)
  expect(newCookie).toContain('sid=')
  expect((await visit(newCookie as string)).answer).toBe('u-1')
})

test('an index finds sessions for as long as they are there, and onEnd hears of their end', async () => {
  await login()
  await pass(HOUR / 2)
  await login()
  expect(await sessions.store.countBy('user', 'u-1')).toBe(2)
  await pass(HOUR / 2 + MINUTE)
  expect(await sessions.store.countBy('user', 'u-1')).toBe(1)
  expect(await sessions.store.findBy('user', 'u-1')).toHaveLength(1)
  while (ended.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(ended).toEqual(['u-1 expired'])
})

test('counts of activity stay, and sessions of another store as well', async () => {
  const other = new RedisStore({ client, prefix: freshPrefix() })
  const mine = await loginCookie(other, { userId: 'u-2' } as never, { secret: SECRET })
  await login()
  await pass(30 * 86_400)
  expect(await other.exists(sidIn(mine))).toBe(true)
  expect(await sessions.store.length()).toBe(0)
  await other.clear()
})

test('a session that connect-redis wrote ends with its TTL', async () => {
  const prefix = freshPrefix()
  const old = new RedisStore({ client, prefix })
  await client.set(`${prefix}old`, JSON.stringify({ cookie: {}, userId: 'u-1' }), 'EX', HOUR)
  await passTime(old, HOUR - MINUTE)
  expect(await old.get('old')).toMatchObject({ userId: 'u-1' })
  await passTime(old, MINUTE)
  expect(await old.get('old')).toBeNull()
})

test.each([[0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY], ['60']])('it refuses %p seconds', async (seconds) => {
  await expect(pass(seconds as number)).rejects.toThrow(TypeError)
})

test('it refuses another store, and to work in production', async () => {
  await expect(passTime({} as never, 1)).rejects.toThrow(/needs the RedisStore/)
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  try {
    await expect(pass(1)).rejects.toThrow(/refuses to work with NODE_ENV=production/)
  } finally {
    process.env.NODE_ENV = before
  }
})

function sidIn(cookie: string): string {
  const value = decodeURIComponent(cookie.split('=')[1] ?? '')
  return value.slice(2, value.lastIndexOf('.'))
}
