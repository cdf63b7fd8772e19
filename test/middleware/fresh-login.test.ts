import { RedisStore, requireFreshLogin, rotateOnLogin, rotateSession } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix, absoluteTimeout: 1000 })
store.setMaxListeners(0)
let slow = gate()

afterEach(() => jest.restoreAllMocks())
afterAll(async () => {
  await store.clear()
  await client.quit()
})

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

function site(onStale?: Parameters<typeof requireFreshLogin>[0]['onStale']): Visitor {
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(rotateOnLogin({ principal: (held) => (held as Bag).userId }))
  app.get('/login/:user', (req, res) => {
    ;(req.session as Bag).userId = req.params.user
    ;(req.session as Bag).cart = 'tea'
    res.end('in')
  })
  app.get('/again', (req, res, next) => {
    const options = Object.fromEntries(Object.entries(req.query).map(([k, v]) => [k, v === 'false' ? false : v]))
    rotateSession(req, options).then((done) => res.json({ done, session: req.session ?? null }), next)
  })
  app.get('/slow-again', (req, res, next) => {
    slow
      .wait()
      .then(() => rotateSession(req))
      .then((done) => res.json({ done, session: req.session ?? null }), next)
  })
  app.get('/late', (req, res, next) => {
    res.write('begun')
    rotateSession(req).then(
      () => res.end(),
      (err) => {
        res.end(err.code)
        void next
      },
    )
  })
  app.get('/pay', requireFreshLogin({ within: 300, ...(onStale ? { onStale } : {}) }), (_req, res) => {
    res.end('paid')
  })
  app.use(((err, _req, res, _next) => {
    res.status(err.status).end(err.code)
  }) as express.ErrorRequestHandler)
  return new Visitor(app)
}

const later = (seconds: number, now = Date.now()) => {
  jest.spyOn(Date, 'now').mockImplementation(() => now + seconds * 1000)
}

describe('requireFreshLogin', () => {
  test('lets a fresh login pass, and answers 401 to one that has grown old', async () => {
    const before = Date.now()
    const visitor = site()
    await visitor.get('/login/ada')
    expect((await visitor.get('/pay')).text).toBe('paid')
    later(299, before)
    expect((await visitor.get('/pay')).text).toBe('paid')
    later(302)
    const response = await visitor.get('/pay')
    expect([response.status, response.text]).toEqual([401, 'ERR_SESSION_LOGIN_NOT_FRESH'])
  })

  test('answers 401 to visitors without a session and to sessions that never logged in', async () => {
    const visitor = site()
    expect((await visitor.get('/pay')).status).toBe(401)
    await visitor.get('/again?login=false')
    expect((await visitor.get('/pay')).status).toBe(401)
  })

  test('passes again after a re-authentication, under another id', async () => {
    const visitor = site()
    await visitor.get('/login/ada')
    const before = visitor.sid
    later(1000)
    expect((await visitor.get('/pay')).status).toBe(401)
    expect((await visitor.get('/again')).body).toMatchObject({ done: true, session: { userId: 'ada', cart: 'tea' } })
    expect(visitor.sid).not.toBe(before)
    expect(await client.exists(prefix + before)).toBe(0)
    expect((await visitor.get('/pay')).text).toBe('paid')
  })

  test('goes by the last login after a rotation that was none', async () => {
    const visitor = site()
    await visitor.get('/login/ada')
    await visitor.get('/again?login=false')
    expect((await visitor.get('/pay')).text).toBe('paid')
    later(1000)
    await visitor.get('/again?login=false')
    expect((await visitor.get('/pay')).status).toBe(401)
  })

  test('leaves the answer to onStale', async () => {
    const visitor = site((_req, res) => {
      res.statusCode = 302
      res.setHeader('Location', '/password')
      res.end()
    })
    expect((await visitor.get('/pay')).headers.location).toBe('/password')
  })

  test.each([
    [{}, /"within"/],
    [{ within: 0 }, /"within"/],
    [{ within: '5' }, /"within"/],
    [{ within: 5, onStale: 1 }, /"onStale"/],
    [{ within: 5, withn: 5 }, /no option "withn"/],
  ])('options %j throw a TypeError that names the option', (options, message) => {
    expect(() => requireFreshLogin(options as never)).toThrow(message)
  })
})

describe('rotateSession', () => {
  test('keeps time of creation and absolute deadline', async () => {
    const visitor = site()
    await visitor.get('/login/ada')
    const before = await store.info(visitor.sid)
    await visitor.get('/again')
    const after = await store.info(visitor.sid)
    expect(after?.createdAt).toEqual(before?.createdAt)
    expect(await client.pttl(prefix + visitor.sid)).toBeLessThanOrEqual(1_000_000)
  })

  test.each([
    ['none', {}],
    ['userId', { userId: 'ada' }],
  ])('with keep = %s keeps that', async (keep, expected) => {
    const visitor = site()
    await visitor.get('/login/ada')
    const { cookie: _cookie, ...held } = (
      await visitor.get(keep === 'none' ? '/again?keep=none' : '/again?keep=userId&keep=x')
    ).body.session
    expect(held).toEqual(expected)
  })

  test('does not bring back a session that was ended meanwhile', async () => {
    slow = gate()
    const visitor = site()
    await visitor.get('/login/ada')
    const others = (await store.length()) - 1
    const pending = visitor.get('/slow-again')
    await slow.reached
    await store.destroy(visitor.sid)
    slow.open()
    const response = await pending
    expect(response.body).toEqual({ done: false, session: null })
    expect(response.headers['set-cookie']).toBeUndefined()
    expect(await store.length()).toBe(others)
  })

  test('fails once the response has begun, and leaves the session as it was', async () => {
    const visitor = site()
    await visitor.get('/login/ada')
    expect((await visitor.get('/late')).text).toBe('begunERR_SESSION_HEADERS_SENT')
    expect(await store.read(visitor.sid, ['userId'])).toEqual({ userId: 'ada' })
  })
})
