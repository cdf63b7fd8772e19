import {
  bindClient,
  type Middleware,
  RedisStore,
  renewSession,
  requireFreshLogin,
  rotateOnLogin,
  saveBeforeResponse,
} from 'connect-redis-hash'
import express, { type ErrorRequestHandler } from 'express'
import session, { MemoryStore, type Store } from 'express-session'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })

afterAll(async () => {
  await store.clear()
  await client.quit()
})

const middleware: [string, () => Middleware][] = [
  ['bindClient()', () => bindClient({ secret: 's' })],
  ['rotateOnLogin()', () => rotateOnLogin({ principal: (held) => held.userId })],
  ['renewSession()', () => renewSession()],
  ['saveBeforeResponse()', () => saveBeforeResponse()],
]

const answerError: ErrorRequestHandler = (err, _req, res, _next) => {
  res.status(500).end(err.message)
}
const sessions = (of: Store, path = '/') =>
  session({ store: of, secret: 's', resave: false, saveUninitialized: false, cookie: { path } })

describe.each(middleware.filter(([name]) => name !== 'saveBeforeResponse()'))('two of a kind: %s', (name, make) => {
  const withRoutes = (first: Middleware, second: Middleware) => {
    const app = express()
    app.use(sessions(store), first, second)
    app.get('/', (req, res) => {
      Object.assign(req.session, { userId: 'ada' })
      res.end('ok')
    })
    return app.use(answerError)
  }

  test('every request fails with an error that says to take one out', async () => {
    await request(withRoutes(make(), make()))
      .get('/')
      .expect(500, new RegExp(`^there are two ${name.slice(0, -2)}`))
  })

  test('one that is used twice acts once', async () => {
    const one = make()
    const visitor = request.agent(withRoutes(one, one))
    await visitor.get('/').expect(200, 'ok')
    await visitor.get('/').expect(200, 'ok')
  })
})

test.each<[string, (options: never) => unknown]>([
  ['bindClient', bindClient],
  ['rotateOnLogin', rotateOnLogin],
  ['renewSession', renewSession],
  ['requireFreshLogin', requireFreshLogin],
])('%s takes no function, number or null in place of its options', (name, make) => {
  for (const wrong of [() => 'x', 60, 'x', null, []]) {
    expect(() => make(wrong as never)).toThrow(`${name} takes an options object: ${name}({`)
  }
})

describe.each(middleware)('%s', (name, make) => {
  test('before session() lets one request pass, and fails every one after it, saying so', async () => {
    const app = express()
    app.use(make(), sessions(store))
    app.get('/', (_req, res) => {
      res.end('ok')
    })
    app.use(answerError)
    await request(app).get('/').expect(200, 'ok')
    for (let i = 0; i < 2; i++) {
      await request(app)
        .get('/')
        .expect(500, `${name} stands before session(), where it does nothing: it has to come after it`)
    }
  })

  test('with another store fails every request, saying which store it needs', async () => {
    const app = express()
    app.use(sessions(new MemoryStore()), make(), answerError)
    await request(app).get('/').expect(500, `${name} needs the RedisStore of connect-redis-hash as session store`)
  })

  test("lets requests outside the cookie's path pass, time after time", async () => {
    const app = express()
    app.use(sessions(store, '/account'), make())
    app.get('/', (_req, res) => {
      res.end('ok')
    })
    for (let i = 0; i < 2; i++) await request(app).get('/').expect(200, 'ok')
  })
})
