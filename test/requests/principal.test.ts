import { RedisStore, requireFreshLogin, rotateOnLogin, rotateSession, secureSession } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any
type Warning = { code: string; message: string }

const client = connect()
const prefix = freshPrefix()
afterEach(() => jest.restoreAllMocks())
afterAll(async () => {
  await new RedisStore({ client, prefix, indexes: { user: () => null } }).clear()
  await client.quit()
})

interface Site {
  app: express.Express
  store: RedisStore
  warnings: Warning[]
  visitor(): Visitor
}

/** @param write what a login puts into the session */
function site(
  principal: ((held: Bag) => unknown) | undefined,
  write: (held: Bag, user: string) => void,
  own = false,
): Site {
  const indexes = principal === undefined && { user: (held: Bag) => held.userId }
  const store = new RedisStore({ client, prefix, ...(indexes && { indexes }) })
  const warnings: Warning[] = []
  store.on('warning', (warning) => warnings.push(warning))
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(rotateOnLogin(principal === undefined ? {} : { principal }))
  app.get('/cart', (req, res) => {
    Object.assign(req.session, { cart: 'tea' })
    res.end()
  })
  app.get('/login/:user', (req, res, next) => {
    const logIn = (err?: unknown) => {
      if (err) return next(err)
      write(req.session, req.params.user)
      res.end()
    }
    if (own) req.session.regenerate(logIn)
    else logIn()
  })
  app.get('/show', (req, res) => {
    res.json(req.session)
  })
  app.get('/rotate', (req, res, next) => {
    rotateSession(req, { login: false }).then(() => res.end(), next)
  })
  app.get('/pay', requireFreshLogin({ within: 300 }), (_req, res) => {
    res.end('paid')
  })
  app.use(((err, _req, res, _next) => {
    res.status(err.status ?? 500).end(err.message)
  }) as express.ErrorRequestHandler)
  return { app, store, warnings, visitor: () => new Visitor(app) }
}

/** MongoDB's ObjectId, as far as it matters here: JSON turns it into its text. */
class ObjectId {
  readonly #hex: string
  constructor(hex: string) {
    this.#hex = hex
  }
  toJSON(): string {
    return this.#hex
  }
}

const byId: (held: Bag) => unknown = (held) => held.userId
const setId = (held: Bag, user: unknown) => {
  held.userId = user
}

describe('a principal that does not identify', () => {
  test.each<[string, (held: Bag) => unknown, (held: Bag, user: string) => void, string]>([
    [
      "Passport's user with its id",
      (held) => held.passport?.user,
      (held, id) => (held.passport = { user: { id, picture: 'a.png' } }),
      '(session) => session.passport?.user?.id',
    ],
    ['an object', (held) => held.member, (held, _id) => (held.member = { _id }), '(session) => session.member?._id'],
    ['an object made anew', (held) => held.userId && { id: held.userId }, setId, '(session) => session.userId'],
    ['an object without an id', (held) => held.who, (held) => (held.who = { a: 1 }), '(session) => session.userId'],
    ['a list', (held) => held.userId && [held.userId], setId, '(session) => session.userId'],
    ['a promise', async (held) => held.userId, setId, '(session) => session.userId'],
    ['a boolean', (held) => (held.userId ? true : undefined), setId, '(session) => session.userId'],
  ])('%s fails the first request with a user, and is told what to write', async (_name, principal, write, wanted) => {
    const { visitor } = site(principal, write)
    const response = await visitor().get('/login/ada')
    expect(response.status).toBe(500)
    expect(response.text).toContain('principal must return an id')
    expect(response.text).toMatch(new RegExp(`: ${wanted.replace(/[()?.[\]]/g, '\\$&')}$`))
    expect(response.headers['set-cookie']).toBeUndefined()
  })

  test('the index of users with a list of them fails, too', async () => {
    const { visitor } = site(undefined, (held, user) => setId(held, [user, 'eve']))
    const response = await visitor().get('/login/ada')
    expect([response.status, response.text]).toEqual([500, expect.stringContaining('not a list')])
  })

  test('a profile edited in the session makes no login fresh', async () => {
    const { app, visitor } = site(
      (held) => held.user,
      (held, id) => (held.user = { id, name: 'Ada' }),
    )
    app.get('/name', (req, res) => {
      ;(req.session as Bag).user = { id: 'ada', name: 'Countess' }
      res.end()
    })
    const someone = visitor()
    await someone.get('/login/ada')
    await someone.get('/name')
    expect((await someone.get('/pay')).status).not.toBe(200)
  })
})

test.each<[string, unknown, string]>([
  ['an ObjectId', new ObjectId('65f0c0ffee'), '65f0c0ffee'],
  ['a number', 7, '7'],
  ['zero', 0, '0'],
  ['a text', 'ada', 'ada'],
])('%s is a user, before and after Redis has made it text, and is found by it', async (_name, id, text) => {
  const { visitor, store } = site(undefined, (held) => setId(held, id))
  const someone = visitor()
  await someone.get('/cart')
  const planted = someone.sid
  await someone.get('/login/x')
  const loggedIn = someone.sid
  expect(loggedIn).not.toBe(planted)
  await someone.get('/login/x')
  expect(someone.sid).toBe(loggedIn)
  expect((await someone.get('/show')).body).toMatchObject({ cart: 'tea' })
  expect(await store.findBy('user', text)).toHaveLength(1)
  await store.destroyBy('user', text)
})

test('a bigint is a user of an index, which its text finds', async () => {
  const serializer = {
    stringify: (value: unknown) => `${value}`,
    parse: (text: string) => (/^\d+$/.test(text) ? BigInt(text) : text),
  }
  const store = new RedisStore({ client, prefix, serializer, indexes: { user: (held) => held.userId } })
  await store.set('big', { userId: 2n ** 64n })
  expect(await store.findBy('user', '18446744073709551616')).toHaveLength(1)
  await store.destroy('big')
})

describe('a principal that sees nobody', () => {
  const never = ({ warnings }: Site) => warnings.filter(({ code }) => code === 'principal-never-seen')
  async function logIn({ visitor }: Site, times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      const someone = visitor()
      await someone.get('/cart')
      await someone.get(`/login/u${i}`)
      await someone.get('/show')
    }
  }

  test.each<[string, (held: Bag, user: string) => void, string]>([
    ['user', (held, user) => (held.user = user), '(session) => session.user'],
    ['an object user', (held, id) => (held.user = { name: 'Ada', id }), '(session) => session.user?.id'],
    ["Passport's", (held, user) => (held.passport = { user }), '(session) => session.passport?.user'],
    ["Passport's object", (held, id) => (held.passport = { user: { id } }), '(session) => session.passport?.user?.id'],
    ['user_id', (held, user) => (held.user_id = user), '(session) => session.user_id'],
  ])('while sessions get %s is a warning, once, that says what to write', async (_name, write, wanted) => {
    const shop = site((held) => held.nobody, write)
    await logIn(shop, 6)
    expect(never(shop)).toHaveLength(1)
    expect(never(shop)[0]?.message.endsWith(`: ${wanted}`)).toBe(true)
  })

  test.each<[string, (held: Bag) => unknown, (held: Bag, user: string) => void]>([
    ['it works', byId, setId],
    [
      'it works, and there is another name for the user as well',
      byId,
      (held, user) => Object.assign(held, { userId: user, user }),
    ],
    ['nobody logs in', byId, (held) => (held.mood = 'gay')],
    ['visitors have an empty user', byId, (held) => Object.assign(held, { user: null, passport: {}, username: '' })],
    ['visitors have settings called user', byId, (held) => (held.user = { theme: 'dark' })],
  ])('is no warning where %s', async (_name, principal, write) => {
    const shop = site(principal, write)
    await logIn(shop, 6)
    expect(never(shop)).toEqual([])
  })

  test('is no warning where a code is asked for after the password, and one request later there is a principal', async () => {
    const shop = site((held) => held.isVerified && held.userId, setId)
    shop.app.get('/code', (req, res) => {
      ;(req.session as Bag).isVerified = true
      res.end()
    })
    for (let i = 0; i < 6; i++) {
      const someone = shop.visitor()
      await someone.get('/cart')
      await someone.get(`/login/u${i}`)
      await someone.get('/code')
    }
    expect(never(shop)).toEqual([])
  })

  test('is no warning because of sessions that had a user before this process began', async () => {
    const before = site(byId, (held, user) => (held.user = user))
    const visitors = Array.from({ length: 6 }, () => before.visitor())
    for (const one of visitors) await one.get('/login/ada')
    const after = site(byId, setId)
    for (const { cookie } of visitors) await new Visitor(after.app, cookie).get('/cart')
    expect(never(after)).toEqual([])
  })

  test('is a warning of secureSession as well', async () => {
    const secret = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
    const cookie = { secure: false }
    const sessions = secureSession({ client, prefix, secret, cookie, bind: false, user: (held) => held.userId })
    const told: string[] = []
    sessions.store.on('warning', ({ code }) => told.push(code))
    const app = express().use(sessions)
    app.get('/login', (req, res) => {
      ;(req.session as Bag).user = 'ada'
      res.end()
    })
    for (let i = 0; i < 4; i++) await new Visitor(app).get('/login')
    expect(told.filter((code) => code === 'principal-never-seen')).toHaveLength(1)
  })
})

describe('a user who logs in again, where the application changes ids itself,', () => {
  const later = (seconds: number) => {
    const now = Date.now()
    jest.spyOn(Date, 'now').mockImplementation(() => now + seconds * 1000)
  }

  test('is freshly logged in', async () => {
    const someone = site(byId, setId, true).visitor()
    await someone.get('/login/ada')
    later(1000)
    expect((await someone.get('/pay')).status).toBe(401)
    const before = someone.sid
    await someone.get('/login/ada')
    expect(someone.sid).not.toBe(before)
    expect((await someone.get('/pay')).text).toBe('paid')
  })

  test('twice in one request is, too', async () => {
    const shop = site(byId, setId, true)
    shop.app.get('/twice', (req, res, next) => {
      setId(req.session, 'ada')
      req.session.save(() =>
        req.session.regenerate((err) => {
          if (err) return next(err)
          setId(req.session, 'ada')
          res.end()
        }),
      )
    })
    const someone = shop.visitor()
    await someone.get('/cart')
    await someone.get('/twice')
    expect((await someone.get('/pay')).text).toBe('paid')
  })

  test('is not confused with a new id that proves nothing', async () => {
    const someone = site(byId, setId, true).visitor()
    await someone.get('/login/ada')
    later(1000)
    const before = someone.sid
    await someone.get('/rotate')
    expect(someone.sid).not.toBe(before)
    expect((await someone.get('/pay')).status).toBe(401)
  })

  test('and a request that only reads makes nothing fresh', async () => {
    const someone = site(byId, setId, true).visitor()
    await someone.get('/login/ada')
    later(1000)
    await someone.get('/show')
    await someone.get('/cart')
    expect((await someone.get('/pay')).status).toBe(401)
  })
})
