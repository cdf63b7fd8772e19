import { bindClient, RedisStore, type RotateOnLoginOptions, requireFreshLogin, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { Passport, Strategy } from 'passport'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

// Ada leaves her browser without logging out, and Bob logs in on it.

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix, ttl: 600 })
store.setMaxListeners(0)

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const who = (held: unknown) => (held as Bag).userId ?? (held as Bag).passport?.user

afterAll(async () => {
  await store.clear()
  await client.quit()
})

/** No random id contains this one. */
const ADA = 'ada.lovelace'

class Anybody extends Strategy {
  override name = 'anybody'
  override authenticate(req: express.Request): void {
    this.success({ id: String(req.params.user) })
  }
}

/** @param how the login of the application */
function shop(how: express.RequestHandler[], keep?: RotateOnLoginOptions['keep']): Visitor {
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(bindClient({ secret: 'key' }))
  app.use(rotateOnLogin(keep === undefined ? { principal: who } : { principal: who, keep }))
  app.get('/login/:user', ...how, (req, res) => {
    ;(req.session as Bag).greeting = `Hello ${req.params.user}`
    res.redirect('/show')
  })
  app.get('/fill', (req, res) => {
    Object.assign(req.session, { email: `${ADA}@example.org`, basket: { tea: 2 }, role: 'admin', list: [ADA] })
    req.session.cookie.maxAge = 30 * 86_400_000
    res.end()
  })
  app.get('/pay', requireFreshLogin({ within: 60 }), (_req, res) => {
    res.end('paid')
  })
  app.get('/show', (req, res) => {
    res.json({ session: req.session, user: who(req.session) ?? null })
  })
  return new Visitor(app)
}

const passport = new Passport()
passport.use(new Anybody())
passport.serializeUser((user, done) => done(null, (user as { id: string }).id))
passport.deserializeUser((id: string, done) => done(null, { id }))

const logins: Record<string, express.RequestHandler[]> = {
  'a changed property': [
    (req, _res, next) => {
      ;(req.session as Bag).userId = req.params.user
      next()
    },
  ],
  'a changed property and an explicit save': [
    (req, _res, next) => {
      ;(req.session as Bag).userId = req.params.user
      req.session.save(next)
    },
  ],
  'a regenerated session': [
    (req, _res, next) => {
      req.session.regenerate((err) => {
        ;(req.session as Bag).userId = req.params.user
        next(err)
      })
    },
  ],
  Passport: [passport.initialize() as express.RequestHandler, passport.authenticate('anybody')],
}

const cases = Object.entries(logins).flatMap(([name, how]) =>
  (['all', 'none', ['email', 'role']] as const).map((keep) => [name, keep, how] as const),
)

test.each(cases)(
  'with %s and keep = %j: of the user before, the next one gets no property, no id and no long-lived cookie',
  async (_name, keep, how) => {
    const visitor = shop(how, keep as RotateOnLoginOptions['keep'])
    await visitor.get(`/login/${ADA}`)
    await visitor.get('/fill')
    const adas = visitor.sid
    expect((await visitor.get('/show')).body.session).toMatchObject({ role: 'admin', basket: { tea: 2 } })

    const response = await visitor.get('/login/bob')
    expect(response.status).toBe(302)
    expect(visitor.sid).not.toBe(adas)
    expect(await client.exists(prefix + adas)).toBe(0)
    const { body } = await visitor.get('/show')
    expect(body.user).toBe('bob')
    const { cookie, userId: _id, passport: _passport, ...held } = body.session
    expect(held).toEqual({ greeting: 'Hello bob' })
    expect(cookie.originalMaxAge).toBeNull()
    expect(JSON.stringify(await client.hgetall(prefix + visitor.sid))).not.toContain(ADA)
    expect(await client.pttl(prefix + visitor.sid)).toBeLessThanOrEqual(600_000)
  },
)

test("the next user's login counts as their own: fresh when they have just logged in, whatever the one before did", async () => {
  const visitor = shop(logins['a changed property'] as express.RequestHandler[])
  await visitor.get('/login/ada')
  const before = await client.hget(prefix + visitor.sid, '@login')
  await new Promise((resolve) => setTimeout(resolve, 2))
  await visitor.get('/login/bob')
  const after = await client.hget(prefix + visitor.sid, '@login')
  expect(Number.parseInt(String(after), 36)).toBeGreaterThan(Number.parseInt(String(before), 36))
  expect((await visitor.get('/pay')).text).toBe('paid')
})
