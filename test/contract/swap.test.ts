import { RedisStore } from 'connect-redis-hash'
import express from 'express'
import session, { type SessionData, type Store } from 'express-session'
import { type Gate, gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'
import { connectRedis } from './node-redis.js'

const HOUR = 3_600_000
let slow: Gate

/** An application that works with any store. */
function shop(store: Store, cookie: session.CookieOptions = {}) {
  const app = express()
  app.use(session({ store, secret: 'keyboard cat', resave: false, saveUninitialized: false, cookie }))
  const bag = (req: express.Request) => req.session as unknown as Record<string, unknown>
  app.get('/login/:user', (req, res) => {
    req.session.regenerate((err) => {
      if (err) return void res.status(500).json({ err })
      bag(req).user = req.params.user
      res.json({ user: req.params.user })
    })
  })
  app.get('/me', (req, res) => void res.json({ user: bag(req).user, cart: bag(req).cart }))
  app.get('/cart/:item', (req, res) => {
    bag(req).cart = [...((bag(req).cart as string[]) ?? []), req.params.item]
    res.json({ cart: bag(req).cart })
  })
  app.get('/slow/:name', async (req, res) => {
    await slow.wait()
    bag(req)[req.params.name] = true
    res.json({})
  })
  app.get('/logout', (req, res) => {
    req.session.destroy((err) => void res.json({ err }))
  })
  return app
}

describe.each(['ioredis', 'the client of connect-redis'])(
  'an application that moves from connect-redis to a store over %s',
  (over) => {
    const client = connect()
    const ownClient = () => (over === 'ioredis' ? client : connectRedisStore.client)
    let connectRedisStore: Awaited<ReturnType<typeof connectRedis>>
    let prefix: string
    let before: Visitor
    let after: Visitor

    beforeAll(async () => {
      connectRedisStore = await connectRedis()
    })
    afterAll(() => Promise.all([client.quit(), connectRedisStore.close()]))

    /** Ann has logged in while the application still ran on connect-redis, and comes back after the move. */
    beforeEach(async () => {
      await arrive({})
    })

    async function arrive(cookie: session.CookieOptions): Promise<void> {
      slow = gate()
      prefix = freshPrefix()
      before = new Visitor(shop(connectRedisStore.store({ prefix }), cookie))
      await before.get('/login/ann')
      await before.get('/cart/tea')
      const store = new RedisStore({ client: ownClient(), prefix })
      after = new Visitor(shop(store, cookie), before.cookie)
    }

    const key = () => prefix + before.sid
    const kind = () => client.type(key())

    test('the visitor is still logged in, and reading leaves the string as it is', async () => {
      expect((await after.get('/me')).body).toEqual({ user: 'ann', cart: ['tea'] })
      expect(after.cookie).toBe(before.cookie)
      expect(await kind()).toBe('string')
      expect((await before.get('/me')).body).toEqual({ user: 'ann', cart: ['tea'] })
    })

    test('reading prolongs the string', async () => {
      await client.expire(key(), 10)
      await after.get('/me')
      expect(await client.ttl(key())).toBeGreaterThan(86_000)
    })

    test('disableTouch: reading does not prolong the string', async () => {
      await client.expire(key(), 10)
      const store = new RedisStore({ client: ownClient(), prefix, disableTouch: true })
      expect((await new Visitor(shop(store), before.cookie).get('/me')).body.user).toBe('ann')
      expect(await client.ttl(key())).toBeLessThanOrEqual(10)
    })

    test('the next change makes the session a hash with an expiry, and loses nothing', async () => {
      expect((await after.get('/cart/cake')).body.cart).toEqual(['tea', 'cake'])
      expect(await kind()).toBe('hash')
      expect(await client.hgetall(key())).toMatchObject({ user: '"ann"', cart: '["tea","cake"]' })
      expect(await client.ttl(key())).toBeGreaterThan(86_000)
      expect((await after.get('/me')).body).toEqual({ user: 'ann', cart: ['tea', 'cake'] })
      expect(await client.keys(`${prefix}*`)).toEqual([key()])
    })

    test('two requests that convert the session at once lose nothing', async () => {
      const gates = [gate(), gate()]
      const answers = []
      for (const [i, one] of gates.entries()) {
        slow = one
        answers.push(after.get(i === 0 ? '/slow/cart' : '/slow/change'))
        await one.reached
      }
      expect(await kind()).toBe('string')
      for (const [i, one] of gates.entries()) {
        one.open()
        await answers[i]
        expect(await kind()).toBe('hash')
      }
      expect(await client.hgetall(key())).toMatchObject({ user: '"ann"', cart: 'true', change: 'true' })
    })

    test('a change that connect-redis saves during the conversion is not lost', async () => {
      const answer = after.get('/slow/change')
      await slow.reached
      await before.get('/cart/cake')
      slow.open()
      await answer
      expect(await client.hgetall(key())).toMatchObject({ user: '"ann"', cart: '["tea","cake"]', change: 'true' })
    })

    test('logout works before the conversion', async () => {
      await after.get('/logout')
      expect(await client.exists(key())).toBe(0)
      expect((await after.get('/me')).body).toEqual({})
    })

    test('logout works after the conversion', async () => {
      await after.get('/cart/cake')
      await after.get('/logout')
      expect(await client.exists(key())).toBe(0)
      expect((await after.get('/me')).body).toEqual({})
    })

    test('a conversion that ends after the logout brings nothing back', async () => {
      const answer = after.get('/slow/change')
      await slow.reached
      await after.get('/logout')
      slow.open()
      expect((await answer).status).toBe(200)
      expect(await client.keys(`${prefix}*`)).toEqual([])
    })

    test('a new login ends the old session', async () => {
      await after.get('/login/bob')
      expect(after.sid).not.toBe(before.sid)
      expect(await client.keys(`${prefix}*`)).toEqual([prefix + after.sid])
      expect((await after.get('/me')).body).toEqual({ user: 'bob' })
    })

    test('the attributes of the cookie are the same before, between and after', async () => {
      await arrive({ maxAge: HOUR, httpOnly: false, sameSite: 'lax', domain: 'shop.example', priority: 'high' })
      const setCookie = async (visitor: Visitor) =>
        (await visitor.get('/cart/cake')).headers['set-cookie']?.[0]?.replace(/Expires=[^;]+/, 'Expires=…')
      const wanted = await setCookie(before)
      expect(wanted).toMatch(/Domain=shop\.example; Path=\/; Expires=…; Priority=High; SameSite=Lax$/)
      after.cookie = before.cookie
      expect(await setCookie(after)).toBe(wanted)
      expect(await kind()).toBe('hash')
      expect(await setCookie(after)).toBe(wanted)
      expect(await client.ttl(key())).toBeGreaterThan(HOUR / 1000 - 60)
      expect(await client.ttl(key())).toBeLessThanOrEqual(HOUR / 1000)
    })

    // tj/connect-redis#259: connect-redis prolongs the key at every visit, never the `expires` inside.
    test('a session in use whose stored expires has gone by is not ended', async () => {
      await arrive({ maxAge: HOUR })
      const data = JSON.parse((await client.get(key())) as string)
      data.cookie.expires = new Date(Date.now() - 1000).toISOString()
      await client.set(key(), JSON.stringify(data), 'PX', HOUR)
      expect((await after.get('/me')).body.user).toBe('ann')
      expect((await after.get('/cart/cake')).body.cart).toEqual(['tea', 'cake'])
      expect((await after.get('/me')).body).toEqual({ user: 'ann', cart: ['tea', 'cake'] })
      expect(await client.ttl(key())).toBeGreaterThan(HOUR / 1000 - 60)
    })

    test('the same with plain get and set, outside any request', async () => {
      await arrive({ maxAge: HOUR })
      const data = JSON.parse((await client.get(key())) as string)
      data.cookie.expires = new Date(Date.now() - 1000).toISOString()
      await client.set(key(), JSON.stringify(data), 'PX', HOUR)
      const store = new RedisStore({ client: ownClient(), prefix })
      const loaded = await store.get(before.sid)
      await store.set(before.sid, Object.assign(loaded as object, { vip: true }))
      expect(await store.get(before.sid)).toMatchObject({ user: 'ann', vip: true })
      expect(await client.ttl(key())).toBeGreaterThan(HOUR / 1000 - 60)
    })

    test('a string with __proto__ in it gives nobody another prototype', async () => {
      const text = (await client.get(key())) as string
      const hostile = text.replace('{', '{"__proto__":{"user":"root"},').replace('"user":"ann"', '"x":1')
      await client.set(key(), hostile.replace('"cookie":{', '"cookie":{"__proto__":{"secure":true},'), 'EX', 60)
      const loaded = (await new RedisStore({ client: ownClient(), prefix }).get(before.sid)) as SessionData
      expect(Object.hasOwn(loaded, '__proto__')).toBe(false)
      expect(Object.hasOwn(loaded.cookie, '__proto__')).toBe(false)
      expect((await after.get('/me')).body).toEqual({ cart: ['tea'] })
      expect((await after.get('/cart/cake')).body.cart).toEqual(['tea', 'cake'])
      expect(Object.keys(await client.hgetall(key())).sort()).toEqual(['@', 'cart', 'x'])
    })

    test('strings and hashes are listed, counted and cleared alike', async () => {
      const store = new RedisStore({ client: ownClient(), prefix })
      await new Visitor(shop(store)).get('/login/bob')
      expect((await store.all()).map((one) => (one as unknown as { user: string }).user).sort()).toEqual(['ann', 'bob'])
      expect(await store.ids()).toContain(before.sid)
      expect(await store.length()).toBe(2)
      await store.clear()
      expect(await client.keys(`${prefix}*`)).toEqual([])
    })

    test('a serializer of the application goes on reading what it wrote', async () => {
      const serializer = {
        stringify: (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64'),
        parse: (text: string) => JSON.parse(Buffer.from(text, 'base64').toString()),
      }
      before = new Visitor(shop(connectRedisStore.store({ prefix, serializer })))
      await before.get('/login/ann')
      after = new Visitor(shop(new RedisStore({ client: ownClient(), prefix, serializer })), before.cookie)
      expect((await after.get('/cart/tea')).body.cart).toEqual(['tea'])
      expect(await kind()).toBe('hash')
      expect((await after.get('/me')).body).toEqual({ user: 'ann', cart: ['tea'] })
    })
  },
)

describe('an application that moves from MemoryStore', () => {
  const client = connect()
  afterAll(() => client.quit())

  test('a visitor from before is anonymous, can log in and log out, and gets a new id', async () => {
    const before = new Visitor(shop(new session.MemoryStore()))
    await before.get('/login/ann')
    const after = new Visitor(shop(new RedisStore({ client, prefix: freshPrefix() })), before.cookie)
    expect((await after.get('/me')).body).toEqual({})
    await after.get('/login/ann')
    expect(after.sid).not.toBe(before.sid)
    await after.get('/cart/tea')
    expect((await after.get('/me')).body).toEqual({ user: 'ann', cart: ['tea'] })
    await after.get('/logout')
    expect((await after.get('/me')).body).toEqual({})
  })

  test('a visitor whose session was copied is still logged in', async () => {
    const memory = new session.MemoryStore()
    const cookie: session.CookieOptions = { maxAge: HOUR, sameSite: 'lax' }
    const before = new Visitor(shop(memory, cookie))
    await before.get('/login/ann')
    await before.get('/cart/tea')

    const store = new RedisStore({ client, prefix: freshPrefix() })
    const all = await new Promise<Record<string, SessionData>>((resolve) => {
      memory.all((_err, sessions) => resolve(sessions as Record<string, SessionData>))
    })
    for (const [sid, data] of Object.entries(all)) await store.set(sid, data)

    const after = new Visitor(shop(store, cookie), before.cookie)
    expect((await after.get('/me')).body).toEqual({ user: 'ann', cart: ['tea'] })
    expect(after.cookie).toBe(before.cookie)
    expect((await after.get('/cart/cake')).body.cart).toEqual(['tea', 'cake'])
    await store.close()
  })
})
