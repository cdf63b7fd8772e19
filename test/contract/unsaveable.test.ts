import { RedisStore, saveBeforeResponse } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import express4 from 'express4'
import superjson from 'superjson'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
afterAll(() => client.quit())

/** Values with which express-session throws while it ends the response, with any other store. */
const BAD: Record<string, (held: Bag) => void> = {
  'a BigInt': (held) => Object.assign(held, { n: 1n }),
  'a BigInt deep inside': (held) => Object.assign(held, { a: [{ b: [{ n: 1n }] }] }),
  'a boxed BigInt': (held) => Object.assign(held, { n: Object(1n) }),
  'a circle': (held) => Object.assign(held, { self: circle() }),
  'the session itself': (held) => Object.assign(held, { me: held }),
  'a getter that throws': (held) => Object.assign(held, { a: throwing() }),
  'a toJSON that throws': (held) => Object.assign(held, { a: { toJSON: () => fail() } }),
}

/** Cookie attributes with which express-session throws. */
const BAD_COOKIE: Record<string, (cookie: Bag) => void> = {
  'expires that is no date': (cookie) => Object.assign(cookie, { expires: 'soon' }),
  'originalMaxAge as a text': (cookie) => Object.assign(cookie, { originalMaxAge: '5000' }),
}

function circle(): object {
  const ring: Bag = { list: [] }
  ring.list.push(ring)
  return ring
}

const fail = () => {
  throw new Error('no JSON')
}
const throwing = () => Object.defineProperty({}, 'x', { enumerable: true, get: fail })

interface Told {
  code?: string
  status?: number
}

function site(make: typeof express, store: RedisStore, isSavedBefore: boolean) {
  const errors: Told[] = []
  const app = make()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  if (isSavedBefore) app.use(saveBeforeResponse())
  app.get('/in', (req, res) => {
    ;(req.session as Bag).user = 'ada'
    res.send('in')
  })
  app.get('/who', (req, res) => res.send(String((req.session as Bag).user)))
  app.get('/bad/:kind', (req, res) => {
    BAD[req.params.kind]?.(req.session)
    BAD_COOKIE[req.params.kind]?.(req.session.cookie)
    res.send('bad')
  })
  // Express 4 does not catch an exception in an asynchronous handler.
  app.get('/later/:kind', async (req, res) => {
    await Promise.resolve()
    BAD[req.params.kind]?.(req.session)
    res.send('bad')
  })
  app.get('/text', (req, res) => {
    Object.assign(req.session.cookie, { expires: new Date(Date.now() + 86_400_000).toISOString() })
    res.send('text')
  })
  app.use(((err, _req, res, _next) => {
    errors.push(err)
    if (!res.headersSent) res.status(err.status ?? 500).send(err.code ?? 'uncoded')
  }) as express.ErrorRequestHandler)
  return { visitor: new Visitor(app), errors }
}

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('%s', (_, make) => {
  const storeOf = (more = {}) => new RedisStore({ client, prefix: freshPrefix(), ...more })

  test.each(Object.keys(BAD))('answers over a session with %s, and its error handler is told why', async (kind) => {
    for (const path of ['bad', 'later']) {
      const { visitor, errors } = site(make, storeOf(), false)
      await visitor.get('/in')
      expect((await visitor.get(`/${path}/${kind}`)).text).toBe('bad')
      expect(errors).toMatchObject([{ code: 'ERR_SESSION_NOT_SERIALIZABLE', status: 500 }])
      expect((await visitor.get('/who')).text).toBe('ada')
    }
  })

  test.each(Object.keys(BAD))('answers over a new session with %s', async (kind) => {
    const { visitor, errors } = site(make, storeOf(), false)
    expect((await visitor.get(`/bad/${kind}`)).text).toBe('bad')
    expect(errors).toMatchObject([{ code: 'ERR_SESSION_NOT_SERIALIZABLE' }])
  })

  test.each([...Object.keys(BAD), ...Object.keys(BAD_COOKIE)])(
    'answers the error itself over %s, with saveBeforeResponse',
    async (kind) => {
      const { visitor } = site(make, storeOf(), true)
      await visitor.get('/in')
      const answer = await visitor.get(`/bad/${kind}`)
      const code = kind in BAD ? 'ERR_SESSION_NOT_SERIALIZABLE' : 'ERR_SESSION_INVALID_COOKIE'
      expect([answer.status, answer.text]).toEqual([500, code])
      expect((await visitor.get('/who')).text).toBe('ada')
    },
  )

  test.each(Object.keys(BAD_COOKIE))('answers over a cookie with %s, and the session stays as it was', async (kind) => {
    const { visitor, errors } = site(make, storeOf(), false)
    await visitor.get('/in')
    expect((await visitor.get(`/bad/${kind}`)).text).toBe('bad')
    expect(errors).toContainEqual(expect.objectContaining({ code: 'ERR_SESSION_INVALID_COOKIE', status: 500 }))
    expect((await visitor.get('/who')).text).toBe('ada')
  })

  test.each([false, true])(
    'takes expires as a text for the date it names (saveBeforeResponse: %s)',
    async (isBefore) => {
      const store = storeOf()
      const { visitor, errors } = site(make, store, isBefore)
      await visitor.get('/in')
      const answer = await visitor.get('/text')
      expect([answer.status, answer.text]).toEqual([200, 'text'])
      expect((await visitor.get('/who')).text).toBe('ada')
      const { cookie } = (await store.get(visitor.sid)) as Bag
      expect(cookie.originalMaxAge).toBeGreaterThan(86_390_000)
      expect(errors).toEqual([])
    },
  )

  test('keeps a BigInt and a circle with a serializer that does, and a session that did not change is not written', async () => {
    const store = storeOf({ serializer: superjson })
    const { visitor, errors } = site(make, store, false)
    await visitor.get('/bad/a BigInt deep inside')
    await visitor.get('/bad/a circle')
    const held = (await store.get(visitor.sid)) as Bag
    expect(held.a[0].b[0].n).toBe(1n)
    expect(held.self.list[0]).toBe(held.self)
    const { saved } = store.counters
    await visitor.get('/who')
    await visitor.get('/who')
    expect(store.counters.saved).toBe(saved)
    await visitor.get('/in')
    expect((await visitor.get('/who')).text).toBe('ada')
    expect(errors).toEqual([])
  })
})

test('a session that JSON can hold is its own JSON, as an application and another store see it', () => {
  for (const serializer of [JSON, superjson]) {
    const store = new RedisStore({ client, prefix: freshPrefix(), serializer })
    const data = { cookie: { path: '/', originalMaxAge: null }, a: [1, { b: new Date(0) }], c: new Map(), toJson: 1 }
    const live = store.createSession({ sessionID: 'x', sessionStore: store } as Bag, { ...data } as Bag)
    expect(JSON.parse(JSON.stringify(live))).toEqual({
      cookie: { path: '/', originalMaxAge: null, httpOnly: true, expires: null },
      a: [1, { b: new Date(0).toISOString() }],
      c: {},
      toJson: 1,
    })
    expect(Object.keys(live)).toEqual(['cookie', 'a', 'c', 'toJson'])
  }
})

test('a property named toJSON or touch is stored like any other', async () => {
  const store = new RedisStore({ client, prefix: freshPrefix() })
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.get('/', (req, res) => {
    Object.assign(req.session, { toJSON: 'text', n: 1 })
    res.json((req.session as Bag).toJSON)
  })
  const visitor = new Visitor(app)
  expect((await visitor.get('/')).body).toBe('text')
  expect(await store.get(visitor.sid)).toMatchObject({ toJSON: 'text', n: 1 })
  expect((await visitor.get('/')).body).toBe('text')
})

describe('set and touch of what is no session', () => {
  test.each([null, undefined, 'text', 7, true])('%p is a TypeError that says so', async (nothing) => {
    const store = new RedisStore({ client, prefix: freshPrefix() })
    for (const method of ['set', 'touch'] as const) {
      const message = new RegExp(`^${method}\\(sid, session\\) takes a session object`)
      const told = new Promise((resolve) => {
        store[method]('x', nothing as never, resolve).catch(() => undefined)
      })
      await expect(store[method]('x', nothing as never)).rejects.toThrow(TypeError)
      await expect(store[method]('x', nothing as never)).rejects.toThrow(message)
      expect(await told).toBeInstanceOf(TypeError)
    }
    expect(await store.exists('x')).toBe(false)
  })
})

describe('what a visitor may choose', () => {
  function shop() {
    const app = express()
    const prefix = freshPrefix()
    app.use(
      session({
        store: new RedisStore({ client, prefix }),
        secret: 's',
        resave: false,
        saveUninitialized: false,
      }),
    )
    app.use(saveBeforeResponse())
    app.get('/set/:name', (req, res) => {
      ;(req.session as Bag)[req.params.name] = 'chosen'
      res.send('set')
    })
    app.get('/count/:name', (req, res) => {
      ;(req.session as Bag)[req.params.name]++
      res.send('counted')
    })
    app.get('/stay/:days', (req, res) => {
      ;(req.session as Bag).user = 'ada'
      req.session.cookie.maxAge = Number(req.params.days) * 86_400_000
      res.send('in')
    })
    app.get('/path', (req, res) => {
      ;(req.session as Bag).user = 'ada'
      req.session.cookie.path = '/a\nb'
      res.send('in')
    })
    const answerError: express.ErrorRequestHandler = (err, _req, res, _next) => {
      res.status(err.status ?? 500).send(err.code ?? err.message)
    }
    app.use(answerError)
    return { prefix, visitor: new Visitor(app) }
  }

  test.each(['/set/touch', '/count/touch'])(
    '%s: the name of a method that express-session calls is answered with an error',
    async (path) => {
      const { visitor } = shop()
      for (const first of ['/set/user', path]) await visitor.get(first)
      const answer = await visitor.get(path)
      expect([answer.status, answer.text]).toEqual([500, expect.stringContaining('"touch" cannot be set')])
      expect((await visitor.get('/set/user')).text).toBe('set')
    },
  )

  test.each(['/stay/abc', '/stay/1e300', '/path'])(
    '%s: a cookie that cannot be sent is an error, and nothing is saved',
    async (path) => {
      const { visitor, prefix } = shop()
      const answer = await visitor.get(path)
      expect([answer.status, answer.text]).toEqual([500, 'ERR_SESSION_INVALID_COOKIE'])
      expect(await client.keys(`${prefix}*`)).toEqual([])
    },
  )

  test('an application may replace touch by a function', async () => {
    const app = express()
    const touched: unknown[] = []
    app.use(
      session({
        store: new RedisStore({ client, prefix: freshPrefix() }),
        secret: 's',
        resave: false,
        saveUninitialized: false,
      }),
    )
    app.get('/', (req, res) => {
      Object.assign(req.session, { user: 'ada' })
      req.session.touch = () => {
        touched.push(req.session)
        return req.session
      }
      res.send('ok')
    })
    expect((await new Visitor(app).get('/')).text).toBe('ok')
    expect(touched).toHaveLength(1)
  })
})
