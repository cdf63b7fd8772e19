import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import {
  bindClient,
  RedisStore,
  type RedisStoreOptions,
  type RotateSessionOptions,
  requireFreshLogin,
  rotateOnLogin,
  rotateSession,
} from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { CHROME, SAFARI_IPHONE } from '../middleware/binding/user-agents.js'
import { type Gate, gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

// Checking a password takes time: meanwhile another request may save, and be told that it is saved.

const client = connect()
const servers: Server[] = []
let slow: Gate

beforeEach(() => {
  slow = gate()
})
afterAll(async () => {
  for (const server of servers) server.close()
  await client.quit()
})

type Bag = Record<string, unknown>

function held(req: express.Request): Bag {
  return req.session as unknown as Bag
}

function visitorOf(options: Partial<RedisStoreOptions>, keep: 'all' | string[]): Visitor {
  const store = new RedisStore({ client, prefix: freshPrefix(), ...options })
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(rotateOnLogin({ keep, principal: (held) => held.userId }))
  app.get('/set', (req, res, next) => {
    for (const [name, value] of Object.entries(req.query)) {
      if (value === '') delete held(req)[name]
      else held(req)[name] = value
    }
    req.session.save((err) => (err ? next(err) : res.send('saved')))
  })
  app.get('/put/:thing', (req, res) => {
    held(req).cart = { ...(held(req).cart as Bag), [req.params.thing]: 1 }
    res.end()
  })
  app.get('/take/:thing', (req, res) => {
    delete (held(req).cart as Bag)[req.params.thing]
    res.end()
  })
  const add = (req: express.Request) => {
    if (req.query.add) (held(req).cart as Bag)[String(req.query.add)] = 1
  }
  app.get('/login', async (req, res) => {
    await slow.wait()
    add(req)
    Object.assign(held(req), { userId: 'ada', both: 'login' })
    delete held(req).dropped
    res.send('ok')
  })
  app.get('/again', async (req, res) => {
    await slow.wait()
    add(req)
    held(req).both = 'login'
    delete held(req).dropped
    await rotateSession(req, { keep })
    res.send('ok')
  })
  app.get('/show', (req, res) => {
    const { cookie: _cookie, ...rest } = held(req)
    res.json(rest)
  })
  const server = createServer(app).listen(0)
  servers.push(server)
  return new Visitor(server)
}

const KEY = randomBytes(32)

describe.each<[string, Partial<RedisStoreOptions>]>([
  ['plain', {}],
  ['indexed', { indexes: { user: (held) => held.userId as string | undefined } }],
  ['told of when they end', { onEnd: () => {} }],
  ['encrypted', { encryption: { keys: [KEY] } }],
  ['under hashed ids that change', { hashIds: ['a new secret', 'an old one'] }],
])('sessions that are %s', (_name, options) => {
  test.each([['/login'], ['/again']])(
    'what is saved during %s goes along, and what it removes stays away',
    async (path) => {
      const visitor = visitorOf(options, 'all')
      await visitor.get('/set?cart=tea&gone=1&dropped=1&both=before')
      const twin = new Visitor(servers.at(-1) as Server, visitor.cookie)
      const working = visitor.get(path)
      await slow.reached
      expect((await twin.get('/set?cart=coffee&added=1&gone=&dropped=2&both=twin')).text).toBe('saved')
      slow.open()
      expect((await working).status).toBe(200)
      expect(visitor.sid).not.toBe(twin.sid)
      const user = path === '/login' ? { userId: 'ada' } : {}
      expect((await visitor.get('/show')).body).toEqual({ ...user, cart: 'coffee', added: '1', both: 'login' })
      expect((await twin.get('/show')).body).toEqual({})
    },
  )
})

describe('with the merge option', () => {
  test.each([['/login'], ['/again']])(
    'a cart that is filled during %s, which fills it too, has everything',
    async (path) => {
      const visitor = visitorOf({ merge: ['cart'] }, 'all')
      await visitor.get('/put/bread')
      const twin = new Visitor(servers.at(-1) as Server, visitor.cookie)
      const working = visitor.get(`${path}?add=tea`)
      await slow.reached
      await twin.get('/put/coffee')
      await twin.get('/take/bread')
      slow.open()
      expect((await working).status).toBe(200)
      expect((await visitor.get('/show')).body.cart).toEqual({ coffee: 1, tea: 1 })
    },
  )

  test('a cart that a login does not keep gets nothing of what others put into it', async () => {
    const visitor = visitorOf({ merge: ['cart'] }, ['theme'])
    await visitor.get('/put/bread')
    const twin = new Visitor(servers.at(-1) as Server, visitor.cookie)
    const working = visitor.get('/login?add=tea')
    await slow.reached
    await twin.get('/put/coffee')
    slow.open()
    await working
    expect((await visitor.get('/show')).body.cart).toEqual({ bread: 1, tea: 1 })
  })
})

test.each([['/login'], ['/again']])(
  'what %s does not keep stays behind, also if it was saved meanwhile',
  async (path) => {
    const visitor = visitorOf({}, ['cart'])
    await visitor.get('/set?cart=tea&theme=dark')
    const twin = new Visitor(servers.at(-1) as Server, visitor.cookie)
    const working = visitor.get(path)
    await slow.reached
    await twin.get('/set?cart=coffee&theme=light&added=1')
    slow.open()
    await working
    const { cart, theme, added } = (await visitor.get('/show')).body
    expect({ cart, theme, added }).toEqual({ cart: 'coffee' })
  },
)

// bindClient makes the login stale while the owner's request is under way. Were that forgotten, the new id would be that of a fresh login.
describe('another browser uses the session while it gets a new id', () => {
  function visitorOfBank(rotation: RotateSessionOptions): Visitor {
    const app = express()
    const store = new RedisStore({ client, prefix: freshPrefix() })
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    app.use(bindClient({ secret: 'b', ip: false }))
    app.get('/login', async (req, res) => {
      held(req).userId = 'ada'
      await rotateSession(req, { level: 2 })
      res.send('ok')
    })
    app.get('/again', async (req, res) => {
      await slow.wait()
      await rotateSession(req, rotation)
      res.send('ok')
    })
    app.get('/fresh', requireFreshLogin({ within: 60 }), (_req, res) => res.send('yes'))
    app.get('/level-2', requireFreshLogin({ level: 2 }), (_req, res) => res.send('yes'))
    const server = createServer(app).listen(0)
    servers.push(server)
    return browserOf(server, CHROME)
  }

  function browserOf(server: Server, userAgent: string, cookie = ''): Visitor {
    const visitor = new Visitor(server, cookie)
    visitor.userAgent = userAgent
    return visitor
  }

  test.each<[string, string, RotateSessionOptions]>([
    ['without a login: the login is stale', '/fresh', { login: false }],
    ['with a password: the level that was proved before is gone', '/level-2', {}],
  ])('%s', async (_name, path, rotation) => {
    const owner = visitorOfBank(rotation)
    await owner.get('/login')
    expect((await owner.get(path)).text).toBe('yes')
    const thief = browserOf(servers.at(-1) as Server, SAFARI_IPHONE, owner.cookie)
    const working = owner.get('/again')
    await slow.reached
    await thief.get('/fresh')
    slow.open()
    expect((await working).status).toBe(200)
    expect(owner.sid).not.toBe(thief.sid)
    expect((await owner.get(path)).status).toBe(401)
  })
})
