import type { ServerResponse } from 'node:http'
import type { Request } from 'express'
import session from 'express-session'
import { Passport, Strategy } from 'passport'
import { Visitor } from '../support/visitor.js'
import { describeEverywhere, json, SECRET, setCookies } from './web-app.js'

/** Passport needs nothing beyond the store contract, so all tests also pass with MemoryStore. */

type Next = (err?: unknown) => void

/** A strategy that accepts everybody who gives a name. */
class Anybody extends Strategy {
  override name = 'anybody'
  override authenticate(req: Request): void {
    const user = new URL(req.url, 'http://x').searchParams.get('as')
    if (user === null) this.fail('who are you?', 401)
    else this.success({ id: user })
  }
}

function passport(calls: string[]): InstanceType<typeof Passport> {
  const made = new Passport()
  made.use(new Anybody())
  made.serializeUser((user, done) => done(null, (user as { id: string }).id))
  made.deserializeUser((id: string, done) => {
    calls.push(id)
    done(null, { id })
  })
  return made
}

describeEverywhere((site) => {
  /** How often Passport and the routes were called back. */
  let loggedOut: unknown[]
  let deserialized: string[]

  function shop(keepSessionInfo = false): Visitor {
    loggedOut = []
    deserialized = []
    const own = passport(deserialized)
    const authenticate = own.authenticate('anybody', { keepSessionInfo })
    const login = (req: Request, res: ServerResponse, next: Next) =>
      req.url.startsWith('/login') ? authenticate(req, res, next) : next()
    return new Visitor(
      site.serve(
        [
          session({ store: site.store, secret: SECRET, resave: false, saveUninitialized: false }),
          own.initialize(),
          own.session(),
          login,
        ],
        {
          '/login': (req, res) => json(res, { user: req.user }),
          '/me': (req, res) =>
            json(res, { user: req.user ?? null, cart: (req.session as never as { cart?: string }).cart }),
          '/cart': (_req, res, bag) => {
            bag.cart = 'tea'
            res.end()
          },
          '/logout-passport': (req, res) => {
            req.logout((err) => {
              loggedOut.push(err)
              json(res, { user: req.user ?? null })
            })
          },
        },
      ),
    )
  }

  test('a Passport login gives a new id, ends the old session, and the next request knows the user', async () => {
    const visitor = shop()
    await visitor.get('/cart')
    const before = { cookie: visitor.cookie, sid: visitor.sid }
    const response = await visitor.get('/login?as=ada')
    expect(response.body).toEqual({ user: { id: 'ada' } })
    expect(setCookies(response)).toHaveLength(1)
    expect(visitor.sid).not.toBe(before.sid)
    expect(await site.stored(before.sid)).toBeNull()
    expect((await visitor.get('/me')).body).toEqual({ user: { id: 'ada' } })
    expect(deserialized).toEqual(['ada'])
    visitor.cookie = before.cookie
    expect((await visitor.get('/me')).body).toEqual({ user: null })
    expect(await site.count()).toBe(1)
  })

  test('a Passport login with keepSessionInfo takes the cart along', async () => {
    const visitor = shop(true)
    await visitor.get('/cart')
    await visitor.get('/login?as=ada')
    expect((await visitor.get('/me')).body).toEqual({ user: { id: 'ada' }, cart: 'tea' })
  })

  test('a Passport login that is refused leaves the session as it was', async () => {
    const visitor = shop()
    await visitor.get('/cart')
    const { sid } = visitor
    const response = await visitor.get('/login')
    expect(response.status).toBe(401)
    expect(setCookies(response)).toEqual([])
    expect(visitor.sid).toBe(sid)
    expect((await visitor.get('/me')).body).toEqual({ user: null, cart: 'tea' })
  })

  test('a Passport logout calls back once, without an error, and the old cookie opens nothing', async () => {
    const visitor = shop()
    await visitor.get('/login?as=ada')
    const { cookie, sid } = visitor
    expect((await visitor.get('/logout-passport')).body).toEqual({ user: null })
    expect(loggedOut).toEqual([undefined])
    expect(await site.stored(sid)).toBeNull()
    expect((await visitor.get('/me')).body).toEqual({ user: null })
    visitor.cookie = cookie
    expect((await visitor.get('/me')).body).toEqual({ user: null })
  })

  test('a Passport login as another user leaves nothing of the one before', async () => {
    const visitor = shop()
    await visitor.get('/login?as=ada')
    await visitor.get('/cart')
    const adas = visitor.sid
    await visitor.get('/login?as=bob')
    expect(await site.stored(adas)).toBeNull()
    expect((await visitor.get('/me')).body).toEqual({ user: { id: 'bob' } })
    expect(await site.count()).toBe(1)
  })
})
