import {
  bindClient,
  endSession,
  RedisStore,
  renewSession,
  requireFreshLogin,
  rotateOnLogin,
  rotateSession,
  type SecureSessionOptions,
  secureSession,
} from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
store.setMaxListeners(0)

afterEach(() => jest.restoreAllMocks())
afterAll(async () => {
  await store.clear()
  await client.quit()
})

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const plain = (...more: Bag[]) => [
  session({ store, secret: 's', resave: false, saveUninitialized: false }),
  rotateOnLogin({ principal: (held) => (held as Bag).userId }),
  ...more,
]

function site(middleware: Bag[] = plain()): Visitor {
  const app = express()
  for (const one of middleware) app.use(one)
  app.get('/login/:user', (req, res) => {
    ;(req.session as Bag).userId = req.params.user
    res.end()
  })
  // Password and code at once.
  app.get('/login-with/:user', async (req, res) => {
    ;(req.session as Bag).userId = req.params.user
    await rotateSession(req, { level: 2, methods: ['pwd', 'otp'] })
    res.json(told(req))
  })
  app.get('/save/:user', (req, res, next) => {
    ;(req.session as Bag).userId = req.params.user
    req.session.save((err) => (err ? next(err) : res.json(told(req))))
  })
  app.get('/again', async (req, res) => {
    const { user, ...options } = Object.fromEntries(
      Object.entries(req.query).map(([name, value]) => [name, JSON.parse(String(value))]),
    )
    if (user !== undefined) (req.session as Bag).userId = user
    await rotateSession(req, options)
    res.json(told(req))
  })
  app.get('/switch', async (req, res) => {
    await rotateSession(req, { level: 2 })
    ;(req.session as Bag).userId = 'bob'
    res.end()
  })
  app.get('/regenerate', (req, res, next) => {
    req.session.regenerate((err) => {
      ;(req.session as Bag).userId = 'ada'
      return err ? next(err) : res.end()
    })
  })
  app.get('/logout', (req, res) => {
    delete (req.session as Bag).userId
    res.end()
  })
  app.get('/level', (req, res) => void res.json(told(req)))
  for (const [path, options] of Object.entries(GUARDS)) {
    app.get(path, requireFreshLogin(options) as express.RequestHandler, (_req, res) => void res.end('passed'))
  }
  app.use(
    ((err, _req, res, _next) =>
      void res.status(err.status ?? 500).end(err.code ?? err.message)) as express.ErrorRequestHandler,
  )
  return new Visitor(app)
}

const told = (req: Bag) => ({ level: req.sessionLevel, methods: req.sessionMethods })

const GUARDS: Record<string, Parameters<typeof requireFreshLogin>[0]> = {
  '/any': { within: 3600 },
  '/two': { level: 2 },
  '/two-now': { level: 2, within: 60 },
  '/now': { within: 60 },
  '/one': { level: 1 },
}

const stepUp = '/again?level=2&methods=["webauthn"]'
const levelOf = async (visitor: Visitor) => JSON.parse((await visitor.get('/level')).text).level
const statusOf = async (visitor: Visitor, path: string) => (await visitor.get(path)).status
const later = (seconds: number) => {
  const now = Date.now()
  jest.spyOn(Date, 'now').mockImplementation(() => now + seconds * 1000)
}

async function stepped(visitor = site()): Promise<Visitor> {
  await visitor.get('/login/ada')
  await visitor.get(stepUp)
  return visitor
}

test('a visitor has level 0, a login 1, and a proof what rotateSession was told', async () => {
  const visitor = site()
  expect((await visitor.get('/level')).body).toEqual({ level: 0, methods: [] })
  await visitor.get('/login/ada')
  expect((await visitor.get('/level')).body).toEqual({ level: 1, methods: [] })
  expect((await visitor.get(stepUp)).body).toEqual({ level: 2, methods: ['webauthn'] })
  expect((await visitor.get('/level')).body).toEqual({ level: 2, methods: ['webauthn'] })
})

test('from another browser, a password does not bring back the level that its owner had proved', async () => {
  const [sessions, ...more] = plain()
  const binding = bindClient({ secret: 'binding secret', onMismatch: 'reauthenticate' })
  const visitor = await stepped(site([sessions, binding, ...more]))
  expect(await statusOf(visitor, '/two')).toBe(200)
  visitor.userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
  expect(await levelOf(visitor)).toBe(1)
  expect((await visitor.get('/again')).body).toEqual({ level: 1, methods: [] })
  expect(await statusOf(visitor, '/two')).toBe(401)
})

test('a login may have a higher level at once', async () => {
  const visitor = site()
  expect((await visitor.get('/login-with/ada')).body).toEqual({ level: 2, methods: ['pwd', 'otp'] })
  expect([await levelOf(visitor), await statusOf(visitor, '/two')]).toEqual([2, 200])
})

test('a login in the middle of a request is told at once', async () => {
  expect((await site().get('/save/ada')).body).toEqual({ level: 1, methods: [] })
})

test('the field in Redis is bookkeeping of less than 64 bytes, and no property', async () => {
  const visitor = await stepped()
  const fields = await client.hgetall(prefix + visitor.sid)
  expect(fields['@lv']).toMatch(/^2 [0-9a-z]+ webauthn$/)
  expect(await store.read(visitor.sid)).not.toHaveProperty('@lv')
})

describe('requireFreshLogin({ level })', () => {
  test('refuses a login of a lower level', async () => {
    const visitor = site()
    const guards = async () => Promise.all(Object.keys(GUARDS).map((path) => statusOf(visitor, path)))
    expect(await guards()).toEqual([401, 401, 401, 401, 401])
    await visitor.get('/login/ada')
    expect(await guards()).toEqual([200, 401, 401, 200, 200])
    await visitor.get(stepUp)
    expect(await guards()).toEqual([200, 200, 200, 200, 200])
  })

  test('with "within" refuses a proof that has grown old, and a fresh one of a lower level does not renew it', async () => {
    const visitor = await stepped()
    later(61)
    expect([await statusOf(visitor, '/two'), await statusOf(visitor, '/two-now')]).toEqual([200, 401])
    await visitor.get('/again')
    expect([await statusOf(visitor, '/now'), await statusOf(visitor, '/two-now')]).toEqual([200, 401])
    await visitor.get(stepUp)
    expect(await statusOf(visitor, '/two-now')).toBe(200)
  })

  test('refuses a session whose client has changed', async () => {
    const bound = plain(bindClient({ secret: 'b', ip: false }))
    const visitor = await stepped(site(bound))
    const thief = new Visitor(
      Object.assign(express(), {}).use((req, _res, next) => {
        req.headers['user-agent'] = 'curl/8.0'
        next()
      }, appOf(bound)),
      visitor.cookie,
    )
    expect(await statusOf(thief, '/two')).toBe(401)
    expect(await levelOf(visitor)).toBe(1)
  })

  test.each([0, 10, 1.5, '2', null])('refuses the level %j when it is made', (level) => {
    expect(() => requireFreshLogin({ level: level as number })).toThrow(/"level" option/)
  })
})

describe('a level is kept', () => {
  test.each(['/again', '/again?login=false', '/again?keep=["userId"]'])('across %s', async (path) => {
    const visitor = await stepped()
    const { sid } = visitor
    await visitor.get(path)
    expect([visitor.sid === sid, await levelOf(visitor)]).toEqual([false, 2])
  })

  test('across a renewal', async () => {
    const visitor = await stepped(site(plain(renewSession({ every: 0 }))))
    await visitor.get('/level')
    const { sid } = visitor
    later(1)
    await visitor.get('/level')
    await visitor.get('/level')
    expect([visitor.sid === sid, await levelOf(visitor)]).toEqual([false, 2])
  })
})

describe('a level is not kept', () => {
  test.each([
    ['another user', '/login/bob', 1],
    ['another user, with rotateSession', '/again?user="bob"', 1],
    ['another user after a proof in the same request', '/switch', 1],
    ['a logout', '/logout', 0],
    ['a logout with rotateSession', '/again?user=null', 1],
    ['regenerate', '/regenerate', 1],
    ['a lower level', '/again?level=1', 1],
  ])('across %s', async (_what, path, level) => {
    const visitor = await stepped()
    await visitor.get(path)
    expect([await levelOf(visitor), await statusOf(visitor, '/two')]).toEqual([level, 401])
  })

  test('without a proof: only a lower one is taken then', async () => {
    const visitor = await stepped()
    const refused = await visitor.get('/again?level=3&login=false')
    expect([refused.status, refused.text]).toEqual([500, expect.stringContaining('"level" option')])
    expect(await levelOf(visitor)).toBe(2)
    expect((await visitor.get('/again?level=1&login=false')).body.level).toBe(1)
  })

  test.each(['/again?level=0', '/again?level=2&methods=["a b"]', '/again?methods=["pwd"]', '/again?levels=2'])(
    'after %s, which is refused before anything happens',
    async (path) => {
      const visitor = await stepped()
      const { cookie } = visitor
      expect((await visitor.get(path)).status).toBe(500)
      expect([visitor.cookie, await levelOf(visitor)]).toEqual([cookie, 2])
    },
  )
})

describe('req.sessionLevel is that of the session that the request has now: 0', () => {
  test.each<[string, (req: Bag, res: Bag) => Promise<unknown>]>([
    ['after a logout', (req, res) => endSession(req, res)],
    ['after req.session.destroy()', (req) => new Promise((done) => req.session.destroy(done))],
    ['after regenerate', (req) => new Promise((done) => req.session.regenerate(done))],
    ['if another request has ended it', (req) => store.destroy(req.sessionID).then(() => rotateSession(req))],
  ])('%s', async (_when, act) => {
    const app = express()
    for (const one of plain()) app.use(one)
    app.get('/', async (req: Bag, res) => {
      req.session.userId = 'ada'
      await rotateSession(req, { level: 2, methods: ['otp'] })
      const before = told(req)
      await act(req, res)
      res.json([before, told(req)])
    })
    expect((await new Visitor(app).get('/')).body).toEqual([
      { level: 2, methods: ['otp'] },
      { level: 0, methods: [] },
    ])
  })
})

describe('presets of secureSession', () => {
  test.each([
    ['owasp-low', 200, 200],
    ['nist-aal1', 200, 200],
    ['nist-aal2', 401, 200],
    ['nist-aal3', 401, 401],
  ])('%s asks for its level where requireFreshLogin names none', async (preset, atLogin, atTwo) => {
    const options = { client, prefix, secret: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT', cookie: { secure: false }, preset }
    const sessions = secureSession({ ...options, user: (held: Bag) => held.userId } as SecureSessionOptions)
    const visitor = site([sessions])
    await visitor.get('/login/ada')
    expect([await statusOf(visitor, '/now'), await statusOf(visitor, '/one')]).toEqual([atLogin, 200])
    await visitor.get(stepUp)
    expect(await statusOf(visitor, '/any')).toBe(atTwo)
    expect(await statusOf(visitor, '/two')).toBe(200)
  })
})

/** The guarded application behind these. */
function appOf(middleware: Bag[]): express.Express {
  const app = express()
  for (const one of middleware) app.use(one)
  app.get('/two', requireFreshLogin({ level: 2 }) as express.RequestHandler, (_req, res) => void res.end('passed'))
  app.use(((err, _req, res, _next) => void res.status(err.status ?? 500).end()) as express.ErrorRequestHandler)
  return app
}
