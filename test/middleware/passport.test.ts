import { RedisStore, requireFreshLogin, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { Passport, Strategy } from 'passport'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** Lets everybody in, as the user they say they are. */
class Anybody extends Strategy {
  override name = 'anybody'
  override authenticate(req: express.Request): void {
    this.success({ id: String(req.params.user) })
  }
}

const client = connect()
const prefix = freshPrefix()

afterAll(() => client.quit())

function shop(keepSessionInfo: boolean): { visitor: Visitor; store: RedisStore; twin(): Visitor } {
  const store = new RedisStore({ client, prefix })
  const passport = new Passport()
  passport.use(new Anybody())
  passport.serializeUser((user, done) => done(null, (user as { id: string }).id))
  passport.deserializeUser((id: string, done) => done(null, { id }))
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(rotateOnLogin({ principal: (held) => (held as { passport?: { user?: string } }).passport?.user }))
  app.use(passport.session())
  app.get('/cart', (req, res) => {
    Object.assign(req.session, { cart: 'tea' })
    res.end()
  })
  app.get('/login/:user', passport.authenticate('anybody', { keepSessionInfo }), (_req, res) => {
    res.redirect('/')
  })
  app.get('/logout', (req, res, next) => {
    req.logout((err) => (err ? next(err) : res.end()))
  })
  app.get('/pay', requireFreshLogin({ within: 300 }), (_req, res) => {
    res.end('paid')
  })
  app.get('/', (req, res) => {
    res.json({
      user: (req.user as { id: string } | undefined)?.id ?? null,
      cart: (req.session as never as { cart?: string }).cart,
    })
  })
  const visitor = new Visitor(app)
  return { visitor, store, twin: () => new Visitor(app, visitor.cookie) }
}

test.each([
  ['keeps the cart with', true, { user: 'ada', cart: 'tea' }],
  ['drops it without', false, { user: 'ada' }],
])('a Passport login changes the id once, and %s keepSessionInfo', async (_name, keepSessionInfo, expected) => {
  const { visitor, store } = shop(keepSessionInfo)
  await visitor.get('/cart')
  const planted = visitor.sid
  const response = await visitor.get('/login/ada')
  expect(response.headers['set-cookie']).toHaveLength(1)
  expect(visitor.sid).not.toBe(planted)
  expect(await client.exists(prefix + planted)).toBe(0)
  expect(store.counters.rotated).toBe(0)
  expect((await visitor.get('/')).body).toEqual(expected)
})

test('a Passport logout leaves an anonymous visitor with another id', async () => {
  const { visitor } = shop(false)
  await visitor.get('/login/ada')
  const adas = visitor.sid
  await visitor.get('/logout')
  expect(await client.exists(prefix + adas)).toBe(0)
  expect((await visitor.get('/')).body).toEqual({ user: null })
})

test('a request with the id from before a Passport login does not replace the new cookie', async () => {
  const { visitor, twin } = shop(false)
  await visitor.get('/cart')
  const late = twin()
  await visitor.get('/login/ada')
  expect((await late.get('/cart')).headers['set-cookie']).toBeUndefined()
  expect((await late.get('/')).body).toEqual({ user: null })
})

test.each([true, false])('a user who logs in again has a fresh login (keepSessionInfo %s)', async (keepSessionInfo) => {
  const { visitor } = shop(keepSessionInfo)
  await visitor.get('/login/ada')
  await client.hset(prefix + visitor.sid, '@login', '1')
  expect((await visitor.get('/pay')).status).toBe(401)
  await visitor.get('/login/ada')
  expect((await visitor.get('/pay')).text).toBe('paid')
})
