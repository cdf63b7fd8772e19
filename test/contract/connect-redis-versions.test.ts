import { type RedisClient, RedisStore } from 'connect-redis-hash'
import Store7 from 'connect-redis7'
import { RedisStore as Store8 } from 'connect-redis8'
import { RedisStore as Store9 } from 'connect-redis9'
import { RedisStore as Store10 } from 'connect-redis10'
import express from 'express'
import session, { type Store } from 'express-session'
import { createClient } from 'redis'
import { createClient as createClient4 } from 'redis4'
import { createClient as createClient5 } from 'redis5'
import { connect, connect5, freshPrefix, socketPath } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

// An application changes the import of its store, and nothing else: neither its client nor the options of it.

const VISITORS = 20
const HOUR = 3_600_000

interface Opened {
  client: unknown
  close(): Promise<unknown>
}

async function nodeRedis(create: typeof createClient): Promise<Opened> {
  const client = create({ socket: { path: socketPath(), tls: false } })
  await client.connect()
  return { client, close: () => client.disconnect() }
}

async function ioredis5(): Promise<Opened> {
  const client = connect5()
  return { client, close: () => client.quit() }
}

type StoreClass = new (options: never) => Store

const swaps: [name: string, Old: StoreClass, open: () => Promise<Opened>][] = [
  ['7 with ioredis 5', Store7 as never, ioredis5],
  ['8 with ioredis 5', Store8 as never, ioredis5],
  ['9 with node-redis 5', Store9 as never, () => nodeRedis(createClient5 as never)],
  ['10 with node-redis 6', Store10 as never, () => nodeRedis(createClient)],
]

const admin = connect()
afterAll(() => admin.quit())

function shop(store: Store, cookie: session.CookieOptions) {
  const app = express()
  app.use(session({ store, secret: 'keyboard cat', resave: false, saveUninitialized: false, cookie }))
  const bag = (req: express.Request) => req.session as unknown as Record<string, unknown>
  app.get('/login/:user', (req, res) => {
    Object.assign(bag(req), { user: req.params.user, cart: [{ item: 'tea', when: new Date(0) }], visits: 1 })
    res.end()
  })
  app.get('/me', (req, res) => void res.json({ ...bag(req), cookie: undefined }))
  app.get('/visit', (req, res) => {
    bag(req).visits = Number(bag(req).visits) + 1
    res.end()
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.end()))
  })
  return app
}

const contentOf = (user: string, visits: number) => ({
  user,
  cart: [{ item: 'tea', when: '1970-01-01T00:00:00.000Z' }],
  visits,
})

describe.each(swaps)('from connect-redis %s', (_name, Old, open) => {
  test.each<[string, session.CookieOptions]>([
    ['a cookie that ends with the browser', {}],
    ['a cookie of an hour', { maxAge: HOUR }],
  ])('%s: there and back while nothing is saved, then every session goes on as a hash', async (_cookie, cookie) => {
    const prefix = freshPrefix()
    const { client, close } = await open()
    const before = shop(new Old({ client, prefix } as never), cookie)
    const after = shop(new RedisStore({ client: client as RedisClient, prefix }), cookie)
    const visitors: Visitor[] = []
    for (let i = 0; i < VISITORS; i++) {
      const visitor = new Visitor(before)
      await visitor.get(`/login/user-${i}`)
      visitors.push(visitor)
    }
    for (const app of [after, before]) {
      for (const [i, { cookie: held }] of visitors.entries())
        expect((await new Visitor(app, held).get('/me')).body).toEqual(contentOf(`user-${i}`, 1))
    }
    for (const { sid } of visitors) expect(await admin.type(prefix + sid)).toBe('string')
    for (const [i, { cookie: held, sid }] of visitors.entries()) {
      const visitor = new Visitor(after, held)
      await visitor.get('/visit')
      expect((await visitor.get('/me')).body).toEqual(contentOf(`user-${i}`, 2))
      expect(visitor.sid).toBe(sid)
      expect(await admin.type(prefix + sid)).toBe('hash')
      expect(await admin.pttl(prefix + sid)).toBeGreaterThan(HOUR - 60_000)
    }
    const [ann, bob] = visitors as [Visitor, Visitor]
    await new Visitor(after, ann.cookie).get('/logout')
    expect(await admin.exists(prefix + ann.sid)).toBe(0)
    expect((await new Visitor(after, bob.cookie).get('/me')).body).toMatchObject({ user: 'user-1' })
    await close()
  })
})

test('a client of node-redis 4, as versions 7 and 8 take it: refused, with what to install', async () => {
  const client = createClient4({ socket: { path: socketPath() } })
  expect(() => new RedisStore({ client: client as never })).toThrow(
    /not a client of node-redis 4 .*npm install redis@6/,
  )
})
