import { createServer } from 'node:http'
import { RedisStore, requireFreshLogin, rotateOnLogin, type SessionContent, secureSession } from 'connect-redis-hash'
import { loginCookie } from 'connect-redis-hash/testing'
import express, { type RequestHandler } from 'express'
import session from 'express-session'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'

const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
const client = connect()
let store: RedisStore

beforeEach(() => {
  store = new RedisStore({ client, prefix: freshPrefix() })
})
afterAll(() => client.quit())

type Bag = SessionContent & { userId?: string; basket?: string[] }

function appWith(...middleware: RequestHandler[]) {
  const app = express()
  for (const one of middleware) app.use(one)
  app.get('/me', (req, res) => {
    const { userId, basket } = req.session as unknown as Bag
    res.json({ userId, basket })
  })
  app.get('/safe', requireFreshLogin({ within: 60 }), (_req, res) => {
    res.send('safe')
  })
  app.use(((err, _req, res, _next) => {
    res.status(err.status ?? 500).send(err.code ?? err.message)
  }) as express.ErrorRequestHandler)
  return createServer(app)
}

test.each([
  ['made before', true],
  ['made after', false],
])('behind session(), %s the cookie, the user is logged in', async (_when, isBefore) => {
  const make = () => session({ store, secret: SECRET, resave: false, saveUninitialized: false }) as RequestHandler
  const before = isBefore ? make() : undefined
  const cookie = await loginCookie(store, { userId: 'u-1', basket: ['tea'] } as never, { secret: SECRET })
  expect(cookie).toMatch(/^connect\.sid=s%3A[\w-]+\.\S+$/)
  const app = appWith(
    before ?? make(),
    rotateOnLogin({ principal: (held: SessionContent) => held.userId }) as RequestHandler,
  )
  const { body, headers } = await request(app).get('/me').set('Cookie', cookie)
  expect(body).toEqual({ userId: 'u-1', basket: ['tea'] })
  expect(headers['set-cookie']).toBeUndefined()
  await request(app).get('/safe').set('Cookie', cookie).expect(200, 'safe')
})

test('behind secureSession, it is the session of a fresh login, with the cookie options of the application', async () => {
  const user = (held: SessionContent) => held.userId as string
  const options = { client, user, secret: [SECRET, SECRET.toLowerCase()], prefix: freshPrefix() }
  const sessions = secureSession({ ...options, cookie: { secure: false, maxAge: 600_000 } })
  const cookie = await loginCookie(sessions.store, { userId: 'u-1' } as never, { secret: options.secret, name: 'sid' })
  const app = appWith(sessions as RequestHandler)
  await request(app).get('/me').set('Cookie', cookie).expect(200, { userId: 'u-1' })
  await request(app).get('/safe').set('Cookie', cookie).expect(200, 'safe')
  const [found] = await sessions.store.findBy('user', 'u-1')
  expect(found).toMatchObject({ indexes: { user: ['u-1'] } })
  // express-session reads the clock twice for one `maxAge`.
  expect(Math.round((Number(found?.expiresAt) - Number(found?.seenAt)) / 1000)).toBe(600)
})

test('two cookies are two sessions', async () => {
  const make = () => loginCookie(store, { userId: 'u-1' } as never, { secret: SECRET })
  expect(new Set([await make(), await make()]).size).toBe(2)
  expect(await store.length()).toBe(2)
})

describe('it refuses', () => {
  const good = { secret: SECRET }
  const data = { userId: 'u-1' } as never

  test.each([
    ['another store', () => loginCookie(new session.MemoryStore() as never, data, good), /needs the RedisStore/],
    ['no store', () => loginCookie(undefined as never, data, good), /needs the RedisStore/],
    ['no properties', () => loginCookie(store, {} as never, good), /needs properties of the session/],
    ['no object', () => loginCookie(store, null as never, good), /needs properties of the session/],
    ['a cookie', () => loginCookie(store, { cookie: {} } as never, good), /takes no "cookie"/],
    ['no options', () => loginCookie(store, data, undefined as never), /takes an options object/],
    ['an unknown option', () => loginCookie(store, data, { ...good, nam: 'a' } as never), /no option "nam"/],
    ['no secret', () => loginCookie(store, data, {} as never), /"secret" option/],
    ['an empty list of secrets', () => loginCookie(store, data, { secret: [] }), /"secret" option/],
    ['a level that is none', () => loginCookie(store, data, { ...good, level: 10 }), /"level" option/],
    ['a name that is none', () => loginCookie(store, data, { ...good, name: 'a b' }), /"name" option/],
  ])('%s', async (_what, work, message) => {
    await expect(work()).rejects.toThrow(message)
    expect(await store.length()).toBe(0)
  })

  test('to work in production', async () => {
    const before = process.env.NODE_ENV
    process.env.NODE_ENV = 'production'
    try {
      await expect(loginCookie(store, data, good)).rejects.toThrow(/refuses to work with NODE_ENV=production/)
    } finally {
      process.env.NODE_ENV = before
    }
  })
})
