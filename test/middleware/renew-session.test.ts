import { randomBytes } from 'node:crypto'
import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import connectFramework from 'connect'
import {
  bindClient,
  RedisStore,
  type RedisStoreOptions,
  type RenewSessionOptions,
  renewSession,
  requireFreshLogin,
  rotateOnLogin,
  rotateSession,
  saveBeforeResponse,
} from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express5 from 'express'
import session from 'express-session'
import express4 from 'express4'
import { watchCommands } from '../support/commands.js'
import { type Gate, gate } from '../support/gate.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { ANY_CHANNEL, COMPACT } from '../support/server.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: three frameworks, one shape */
type App = any

const SECRET = 'keyboard cat'
/** Seconds. */
const EVERY = 600
const GRACE = 30

const client = connect()
/** A Redis user who may do all but what a test forbids him. */
const limited = connect({ username: 'renewing', password: 'p', lazyConnect: true })
const servers: Server[] = []
const stores: RedisStore[] = []
let slow: Gate

beforeAll(async () => {
  await client.acl('SETUSER', 'renewing', 'on', '>p', '~*', ...ANY_CHANNEL, '+@all')
  await limited.connect()
})
beforeEach(() => {
  slow = gate()
})
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  for (const store of stores) await store.clear()
  limited.disconnect()
  await client.acl('DELUSER', 'renewing')
  await client.quit()
})

function routes(req: App, res: App, next: (err?: unknown) => void): unknown {
  const { pathname, searchParams } = new URL(req.url, 'http://x')
  if (req.session) for (const [name, value] of searchParams) req.session[name] = value
  switch (pathname) {
    case '/':
      return res.end(JSON.stringify(req.session ?? null))
    case '/slow':
      return slow.wait().then(() => {
        req.session.late = 'yes'
        res.end('ok')
      })
    case '/reload':
      return req.session.reload((err: unknown) => (err ? next(err) : res.end('ok')))
    case '/save':
      return req.session.save((err: unknown) => (err ? next(err) : res.end('ok')))
    case '/logout':
      return req.session.destroy((err: unknown) => (err ? next(err) : res.end('bye')))
    case '/new-id': {
      const { cookie: _cookie, ...data } = req.session
      return req.session.regenerate((err: unknown) => {
        if (err) return next(err)
        Object.assign(req.session, data)
        res.end('ok')
      })
    }
    case '/rotate':
      return rotateSession(req, { login: searchParams.get('login') === 'true' }).then(
        (done) => res.end(String(done)),
        next,
      )
    case '/protected':
      return requireFreshLogin({ within: 3600 })(req, res, (err) => (err ? next(err) : res.end('secret')))
    case '/late-login':
      res.write('begun ')
      return setImmediate(() => {
        req.session.userId = 'eve'
        res.end('done')
      })
  }
  return next()
}

interface SiteOptions {
  framework?: App
  renewal?: RenewSessionOptions
  session?: Partial<session.SessionOptions>
  store?: Partial<RedisStoreOptions>
  /** Between `session()` and `renewSession()`. */
  before?: App[]
  after?: App[]
}

/** A site where somebody has logged in, a moment ago. */
async function site(options: SiteOptions = {}) {
  const prefix = options.store?.prefix ?? freshPrefix()
  const store = new RedisStore({ client, ...options.store, prefix })
  stores.push(store)
  const errors: App[] = []
  const app = (options.framework ?? express5)()
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false, ...options.session }))
  for (const middleware of options.before ?? []) app.use(middleware)
  app.use(renewSession({ every: EVERY, grace: GRACE, ...options.renewal }))
  for (const middleware of options.after ?? []) app.use(middleware)
  app.use(routes)
  app.use((err: App, _req: App, res: App, _next: App) => {
    errors.push(err)
    if (!res.headersSent) res.statusCode = err.status ?? 500
    res.end(String(err.code ?? err.message))
  })
  const server = createServer(app as RequestListener).listen(0)
  server.unref()
  servers.push(server)

  const visitor = new Visitor(server)
  await visitor.get('/?userId=ada')
  const [key] = await client.keys(`${prefix}*`)
  return {
    store,
    server,
    errors,
    visitor,
    key: key as string,
    /** Somebody else with the cookie that the visitor has now. */
    thief: () => new Visitor(server, visitor.cookie),
    with: (sid: string) => new Visitor(server, `connect.sid=${encodeURIComponent(`s:${sign(sid, SECRET)}`)}`),
    pass: (seconds: number) => passTime(client, key as string, seconds * 1000),
  }
}

const body = (response: { text: string }) => JSON.parse(response.text)
const isAnonymous = (response: { text: string }) => body(response).userId === undefined
const setCookieOf = (response: { headers: Record<string, unknown> }) => response.headers['set-cookie']

describe.each([
  ['Express 5', express5],
  ['Express 4', express4],
  ['Connect', connectFramework],
])('%s', (_name, framework) => {
  test('a session older than `every` gets its next id, and keeps its content, key and handle', async () => {
    const { visitor, pass, store, key } = await site({ framework })
    const { sid } = visitor
    const handle = (await store.info(sid))?.handle
    const renewed: unknown[] = []
    store.on('renewed', (event) => renewed.push(event))
    await pass(EVERY)

    await visitor.get('/')
    expect(visitor.sid).not.toBe(sid)
    expect(renewed).toEqual([{ handle }])
    expect(body(await visitor.get('/'))).toMatchObject({ userId: 'ada' })
    expect((await store.info(visitor.sid))?.handle).toBe(handle)
    expect(await client.keys(`${key.split(':')[0]}:*`)).toEqual([key])
  })
})

test('a session younger than `every` keeps its id', async () => {
  const { visitor, pass } = await site()
  await pass(EVERY - 5)
  expect(setCookieOf(await visitor.get('/'))).toBeUndefined()
})

test('the id is renewed again every `every`', async () => {
  const { visitor, pass } = await site()
  const sids = new Set([visitor.sid])
  for (let i = 0; i < 4; i++) {
    await pass(EVERY)
    await visitor.get('/')
    expect(setCookieOf(await visitor.get('/'))).toBeUndefined()
    sids.add(visitor.sid)
  }
  expect(sids.size).toBe(5)
})

test('of 50 requests at once with one id, all are served, one renews, and all get the same next id', async () => {
  const { visitor, pass, store, thief } = await site()
  await pass(EVERY)
  const tabs = Array.from({ length: 50 }, thief)
  const responses = await Promise.all(tabs.map((tab, i) => tab.get(`/?p${i}=1`)))

  expect(responses.map((response) => response.status)).toEqual(tabs.map(() => 200))
  const issued = new Set(tabs.map((tab) => tab.sid).filter((sid) => sid !== visitor.sid))
  expect(issued.size).toBe(1)
  expect(store.counters.renewed).toBe(1)
  const [next] = issued
  const held = (await store.read(next as string)) as Record<string, unknown>
  expect(Object.keys(held).filter((name) => name.startsWith('p'))).toHaveLength(50)
})

describe('while no client has come with the next id', () => {
  test('the id before is served, and gets the same next id again', async () => {
    const { visitor, pass, thief } = await site()
    await pass(EVERY)
    const lost = thief()
    await lost.get('/')
    const answer = await visitor.get('/?kept=yes')
    expect(visitor.sid).toBe(lost.sid)
    expect(body(answer)).toMatchObject({ userId: 'ada' })
    expect(body(await visitor.get('/'))).toMatchObject({ kept: 'yes' })
  })

  test('the id before stays good, however long that takes', async () => {
    const { visitor, pass, thief } = await site()
    await pass(EVERY)
    await thief().get('/')
    await pass(EVERY * 10)
    expect(isAnonymous(await visitor.get('/'))).toBe(false)
    expect(isAnonymous(await visitor.get('/'))).toBe(false)
  })

  test('a reload in the request that renews does not confirm it', async () => {
    const { visitor, pass, thief } = await site()
    await pass(EVERY)
    const lost = thief()
    await lost.get('/reload')
    expect(lost.sid).not.toBe(visitor.sid)
    await pass(EVERY)
    await visitor.get('/')
    expect(visitor.sid).toBe(lost.sid)
  })

  test('a HEAD request and an upgrade are served without a new id, a later GET gets it', async () => {
    const { visitor, pass, server } = await site()
    await pass(EVERY)
    const ask = (method: string, headers: Record<string, string>) =>
      new Promise<unknown>((resolve, reject) => {
        const { port } = server.address() as AddressInfo
        const sent = httpRequest({ port, method, headers: { ...headers, cookie: visitor.cookie } }, (response) => {
          response.resume()
          resolve([response.statusCode, response.headers['set-cookie']])
        })
        sent.on('error', reject)
        sent.end()
      })
    server.on('upgrade', () => undefined)
    expect(await ask('HEAD', {})).toEqual([200, undefined])
    server.removeAllListeners('upgrade')
    expect(await ask('GET', { connection: 'Upgrade', upgrade: 'h2c' })).toEqual([200, undefined])
    expect(setCookieOf(await visitor.get('/'))).toBeDefined()
  })
})

describe('once a client has come with the next id', () => {
  async function renewed(options: SiteOptions = {}) {
    const made = await site(options)
    const stale = made.thief()
    await made.pass(EVERY)
    await made.visitor.get('/')
    await made.visitor.get('/')
    expect(made.visitor.sid).not.toBe(stale.sid)
    return { ...made, stale }
  }

  test('within the grace, the id before is served without a cookie, whatever it does', async () => {
    const { stale, pass } = await renewed({ session: { rolling: true, cookie: { maxAge: 3_600_000 } } })
    await pass(GRACE - 5)
    for (const path of ['/', '/?a=1', '/save?b=2', '/reload']) {
      const answer = await stale.get(path)
      expect([path, answer.status, setCookieOf(answer)]).toEqual([path, 200, undefined])
    }
    expect(body(await stale.get('/'))).toMatchObject({ userId: 'ada' })
  })

  test('within the grace, what the id before writes reaches the live session', async () => {
    const { stale, visitor, store } = await renewed()
    await stale.get('/?draft=kept')
    expect(await store.read(visitor.sid)).toMatchObject({ userId: 'ada', draft: 'kept' })
  })

  test('within the grace, the id before counts as stale and gets no new id without a login', async () => {
    const principal = (held: unknown) => (held as { userId?: string }).userId
    const { stale, visitor } = await renewed({ after: [rotateOnLogin({ principal })] })
    expect((await visitor.get('/rotate?login=true')).text).toBe('true')
    expect((await visitor.get('/protected')).text).toBe('secret')
    const again = await renewed({ after: [rotateOnLogin({ principal })] })
    expect((await again.stale.get('/protected')).status).toBe(401)
    const refused = await again.stale.get('/rotate')
    expect([refused.text, setCookieOf(refused)]).toEqual(['false', undefined])
    expect(isAnonymous(await again.visitor.get('/'))).toBe(false)
    expect(isAnonymous(await stale.get('/'))).toBe(true)
  })

  test('within the grace, an application that changes ids itself hands none to the id before', async () => {
    const { stale, store } = await renewed()
    const answer = await stale.get('/new-id')
    expect([answer.status, setCookieOf(answer)]).toEqual([200, undefined])
    expect(isAnonymous(await stale.get('/'))).toBe(true)
    expect(await store.length()).toBe(0)
  })

  test('within the grace, the id before may log in, which proves who it is', async () => {
    const principal = (held: unknown) => (held as { userId?: string }).userId
    const { stale } = await renewed({ after: [rotateOnLogin({ principal })] })
    await stale.get('/?userId=bob')
    expect(body(await stale.get('/'))).toMatchObject({ userId: 'bob' })
    const other = await renewed()
    expect((await other.stale.get('/rotate?login=true')).text).toBe('true')
    expect(body(await other.stale.get('/'))).toMatchObject({ userId: 'ada' })
  })

  test('within the grace, the id before may log out', async () => {
    const { stale, visitor } = await renewed()
    expect((await stale.get('/logout')).text).toBe('bye')
    expect(isAnonymous(await visitor.get('/'))).toBe(true)
  })

  test('after the grace, the id before ends the session, and `reuse` is emitted', async () => {
    const { stale, visitor, store, pass, key } = await renewed()
    const { handle } = (await store.info(visitor.sid)) as { handle: string }
    const events: unknown[] = []
    store.on('reuse', (event) => events.push(['reuse', event]))
    store.on('destroyed', (event) => events.push(['destroyed', event]))
    await pass(GRACE)

    const answer = await stale.get('/')
    expect([isAnonymous(answer), setCookieOf(answer)]).toEqual([true, undefined])
    expect(events).toEqual([
      ['reuse', { handle }],
      ['destroyed', { handle, reason: 'reuse' }],
    ])
    expect(await client.exists(key)).toBe(0)
    expect(isAnonymous(await visitor.get('/'))).toBe(true)
  })

  test('an id two generations old ends the session at once', async () => {
    const { stale, visitor, store, pass } = await renewed()
    await pass(EVERY)
    await visitor.get('/')
    expect(isAnonymous(await stale.get('/'))).toBe(true)
    expect(store.counters.reuse).toBe(1)
    expect(isAnonymous(await visitor.get('/'))).toBe(true)
  })

  test('when the session of a reused id cannot be ended, the request fails, and the next one ends it', async () => {
    const { stale, visitor, pass, store, errors } = await renewed({ store: { client: limited } })
    await pass(GRACE)
    await client.acl('SETUSER', 'renewing', '-del')
    const answer = await stale.get('/')
    await client.acl('SETUSER', 'renewing', '+del')
    expect([answer.status, setCookieOf(answer), errors[0].code]).toEqual([503, undefined, 'ERR_SESSION_FORBIDDEN'])
    expect(isAnonymous(await stale.get('/'))).toBe(true)
    expect(store.counters.reuse).toBe(2)
    expect(isAnonymous(await visitor.get('/'))).toBe(true)
  })

  test('the store gives nothing for the id before after the grace, and ends nothing: it may be the application that asks', async () => {
    const { stale, visitor, pass, store } = await renewed()
    await pass(GRACE)
    const { sid } = stale
    expect(await store.get(sid)).toBeNull()
    expect(await store.read(sid)).toBeNull()
    expect(await store.read(sid, ['userId'])).toBeNull()
    expect(await store.info(sid)).toBeNull()
    expect(await store.exists(sid)).toBe(false)
    expect(await store.exists(visitor.sid)).toBe(true)
    expect(await store.read(visitor.sid, ['userId'])).toEqual({ userId: 'ada' })
  })

  test('the application may still write to, and end, the session by an id it has kept', async () => {
    const { stale, visitor, pass, store } = await renewed()
    await pass(GRACE)
    expect(await store.patch(stale.sid, { job: 'done' })).toBe(true)
    expect(await store.increment(stale.sid, 'jobs')).toBe(1)
    expect(await store.read(visitor.sid)).toMatchObject({ userId: 'ada', job: 'done', jobs: 1 })
    await store.destroy(stale.sid)
    expect(await store.exists(visitor.sid)).toBe(false)
  })
})

describe('an id that was not issued', () => {
  const proof = 'A'.repeat(22)
  test.each([
    ['for a session never renewed', 0, 1],
    ['of the current generation', 1, 1],
    ['of the generation before', 2, 1],
    ['of a generation to come', 1, 2],
  ])('%s names no session, and ends none', async (_case, renewals, claimed) => {
    const { visitor, pass, store, with: come } = await site()
    const { sid } = visitor
    for (let i = 0; i < renewals; i++) {
      await pass(EVERY)
      await visitor.get('/')
      await visitor.get('/')
    }
    expect(isAnonymous(await come(`${sid}~r${claimed}~${proof}`).get('/'))).toBe(true)
    expect(store.counters.reuse).toBe(0)
    expect(isAnonymous(await visitor.get('/'))).toBe(false)
  })

  test('one that goes with another session names none', async () => {
    const [one, other] = [await site(), await site()]
    for (const { pass, visitor } of [one, other]) {
      await pass(EVERY)
      await visitor.get('/')
    }
    const [first] = one.visitor.sid.split('~')
    const [, generation, proved] = other.visitor.sid.split('~')
    expect(isAnonymous(await one.with(`${first}~${generation}~${proved}`).get('/'))).toBe(true)
  })
})

describe('a renewal', () => {
  test('prolongs neither the idle timeout nor the absolute one', async () => {
    const { visitor, pass, store, key } = await site({
      store: { disableTouch: true, ttl: 5000, absoluteTimeout: 8000 },
    })
    await pass(EVERY)
    await client.pexpire(key, 200_000)
    const before = await store.info(visitor.sid)
    await visitor.get('/')
    await visitor.get('/')
    expect(store.counters.renewed).toBe(1)
    expect(await client.pttl(key)).toBeLessThanOrEqual(200_000)
    expect(await store.info(visitor.sid)).toEqual(before)
  })

  test('saves what the request has changed, also with saveBeforeResponse', async () => {
    for (const after of [[], [saveBeforeResponse()]]) {
      const { visitor, pass, store } = await site({ after })
      await pass(EVERY)
      await visitor.get('/?changed=yes')
      expect(await store.read(visitor.sid)).toMatchObject({ userId: 'ada', changed: 'yes' })
    }
  })

  test('slides the expiry as any request does', async () => {
    const { visitor, pass, key } = await site({ store: { ttl: 5000, touchInterval: 60 } })
    await pass(EVERY)
    await client.pexpire(key, 100_000)
    await visitor.get('/')
    expect(await client.pttl(key)).toBeGreaterThan(4_900_000)
  })

  test('costs one script in the request that renews and one in the next, and nothing in others', async () => {
    const { visitor, pass, key } = await site({ store: { touchInterval: 3600 } })
    const log = await watchCommands(client, key)
    const scripts = async () => {
      await log.take()
      await visitor.get('/')
      return (await log.take()).map(([name]) => name?.toUpperCase())
    }
    // Asks once, until a response has shown that session() does not use rolling.
    await visitor.get('/')
    expect(await scripts()).toEqual(['HGETALL'])
    await pass(EVERY)
    // Warm: the script may be new to Redis.
    await visitor.get('/')
    await visitor.get('/')
    await pass(EVERY)
    expect(await scripts()).toEqual(['HGETALL', 'EVALSHA'])
    expect(await scripts()).toEqual(['HGETALL', 'EVALSHA'])
    expect(await scripts()).toEqual(['HGETALL'])
    log.stop()
  })

  test('keeps its bookkeeping under 64 bytes', async () => {
    const { visitor, pass, key } = await site({ renewal: { every: 30 * 86_400, grace: 86_400 } })
    for (let i = 0; i < 3; i++) {
      await pass(30 * 86_400)
      await visitor.get('/')
      await visitor.get('/')
    }
    expect(Buffer.byteLength((await client.hget(key, '@renew')) as string)).toBeLessThan(64)
    expect(await client.object('ENCODING', key)).toBe(COMPACT)
  })

  test('that fails in Redis fails the request, without a cookie', async () => {
    const { visitor, pass, errors, store } = await site({ store: { client: limited } })
    await pass(EVERY)
    await client.acl('SETUSER', 'renewing', '-evalsha')
    const answer = await visitor.get('/')
    await client.acl('SETUSER', 'renewing', '+evalsha')
    expect([answer.status, setCookieOf(answer)]).toEqual([503, undefined])
    expect(errors[0].code).toBe('ERR_SESSION_FORBIDDEN')
    expect(isAnonymous(await visitor.get('/'))).toBe(false)
    expect(store.counters.renewed).toBe(1)
  })

  test('of a session that a login has ended meanwhile sends no cookie', async () => {
    const { visitor, pass, thief, store } = await site()
    await pass(EVERY)
    const late = thief()
    const answer = late.get('/slow')
    await slow.reached
    await store.destroy(visitor.sid)
    slow.open()
    expect(setCookieOf(await answer)).toBeUndefined()
  })

  test('goes with hashed ids, encryption, and a change of `hashIds`', async () => {
    const prefix = freshPrefix()
    const encryption = { keys: [randomBytes(32).toString('base64')] }
    const { visitor, pass } = await site({ store: { prefix, hashIds: 'old', encryption } })
    await pass(EVERY)
    await visitor.get('/')
    await visitor.get('/')
    const moved = new RedisStore({ client, prefix, hashIds: ['new', 'old'], encryption })
    expect(await moved.get(visitor.sid)).toMatchObject({ userId: 'ada' })
    expect(await moved.patch(visitor.sid, { moved: true })).toBe(true)
    const home = new RedisStore({ client, prefix, hashIds: 'new', encryption })
    stores.push(home)
    expect(await home.get(visitor.sid)).toMatchObject({ userId: 'ada', moved: true })
  })
})

describe('next to other middleware', () => {
  const principal = (held: unknown) => (held as { userId?: string }).userId

  test('a login makes a first id of its own, and every id of the session before is anonymous', async () => {
    for (const order of ['before', 'after'] as const) {
      const { visitor, pass, thief, store } = await site({ [order]: [rotateOnLogin({ principal })] })
      const old = [thief()]
      await pass(EVERY)
      await visitor.get('/')
      await visitor.get('/')
      old.push(thief())
      await visitor.get('/?userId=bob')
      expect(visitor.sid).not.toContain('~')
      expect(body(await visitor.get('/'))).toMatchObject({ userId: 'bob' })
      for (const twin of old) expect(isAnonymous(await twin.get('/'))).toBe(true)
      expect(store.counters.reuse).toBe(0)
    }
  })

  test('a login after the response has begun fails also where the id has just been renewed', async () => {
    const { visitor, pass, errors, key } = await site({ after: [rotateOnLogin({ principal })] })
    await pass(EVERY)
    await visitor.get('/late-login')
    // express-session reports a failed save after the response.
    while (errors.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(errors[0].code).toBe('ERR_SESSION_HEADERS_SENT')
    expect(await client.hget(key, 'userId')).toBe('"ada"')
  })

  test.each([
    ['', {}],
    [', with rolling', { rolling: true }],
  ])('a login puts the renewal off, although the session is older%s', async (_name, options) => {
    const { visitor, pass } = await site({ after: [rotateOnLogin({ principal })], session: options })
    await pass(EVERY)
    await visitor.get('/?userId=bob')
    const { sid } = visitor
    await visitor.get('/')
    await visitor.get('/')
    expect(visitor.sid).toBe(sid)
  })

  test.each(['before', 'after'] as const)(
    'a client that the session is not bound to gets no next id (bindClient %s renewSession)',
    async (order) => {
      const bind = bindClient({ secret: 's', ip: false, onMismatch: 'observe' })
      const { visitor, pass, store, server } = await site({ [order]: [bind] })
      await pass(EVERY)
      const ask = async (userAgent: string) => {
        const { port } = server.address() as AddressInfo
        const response = await fetch(`http://localhost:${port}/`, {
          headers: { cookie: visitor.cookie, 'user-agent': userAgent },
        })
        return [isAnonymous({ text: await response.text() }), response.headers.get('set-cookie') !== null]
      }
      // Bound to what supertest sends: nothing.
      expect(await ask('curl/8.5.0')).toEqual([false, false])
      expect(store.counters.mismatch).toBe(1)
      expect(store.counters.renewed).toBe(0)
      await visitor.get('/')
      expect(store.counters.renewed).toBe(1)
    },
  )

  test('the binding of a session outlives its renewal', async () => {
    const bind = bindClient({ secret: 's', ip: false })
    const { visitor, pass, key } = await site({ before: [bind] })
    const before = await client.hget(key, '@ua')
    await pass(EVERY)
    await visitor.get('/')
    await visitor.get('/')
    expect(before).not.toBeNull()
    expect(await client.hget(key, '@ua')).toBe(before)
  })
})

describe('a response that carries the cookie anyway', () => {
  test.each([
    ['because of rolling', { rolling: true }, '/slow'],
    ['because the session has a maxAge and was changed', { cookie: { maxAge: 3_600_000 } }, '/slow'],
  ])('%s does not bring back an id that was renewed meanwhile', async (_case, options, path) => {
    const { visitor, thief, key } = await site({ session: options })
    const late = thief()
    const answer = late.get(path)
    await slow.reached
    // By a server that renews at once, as time cannot pass while a request is under way.
    const eager = new RedisStore({ client, prefix: key.slice(0, -late.sid.length) })
    const app = express5()
    app.use(session({ store: eager, secret: SECRET, resave: false, saveUninitialized: false, ...options }))
    app.use(renewSession({ every: 0.001, grace: 0 }))
    app.use(routes)
    const elsewhere = new Visitor(app, visitor.cookie)
    await elsewhere.get('/')
    expect(elsewhere.sid).not.toBe(late.sid)
    await elsewhere.get('/')
    slow.open()
    expect(setCookieOf(await answer)).toBeUndefined()
    expect(await eager.read(elsewhere.sid)).toMatchObject({ userId: 'ada', late: 'yes' })
  })

  test('sends the next id, while no client has come with it', async () => {
    const { visitor, pass, thief } = await site({ session: { cookie: { maxAge: 3_600_000 } } })
    await pass(EVERY)
    const [one, other] = [thief(), thief()]
    await one.get('/')
    await other.get('/?changed=1')
    expect(other.sid).toBe(one.sid)
    expect(one.sid).not.toBe(visitor.sid)
  })
})

describe('when clocks are wrong', () => {
  afterEach(() => jest.restoreAllMocks())

  test.each([
    ['ahead', 600_000],
    ['behind', -600_000],
  ])('a server %s by ten minutes takes nobody for a thief', async (_case, skewMs) => {
    const { visitor, pass, thief, store } = await site()
    const stale = thief()
    await pass(EVERY)
    await visitor.get('/')
    await visitor.get('/')
    const now = Date.now
    jest.spyOn(Date, 'now').mockImplementation(() => now() + skewMs)
    expect(isAnonymous(await stale.get('/'))).toBe(false)
    expect(isAnonymous(await visitor.get('/'))).toBe(false)
    expect(store.counters.reuse).toBe(0)
  })

  test('a server ahead renews no more often than every `every` of Redis', async () => {
    const { visitor, store } = await site()
    const now = Date.now
    jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000)
    await visitor.get('/')
    await visitor.get('/')
    expect(store.counters.renewed).toBe(0)
  })
})

describe('when Redis has lost something', () => {
  test('a failover that forgot the last renewal logs nobody out', async () => {
    const { visitor, pass, key, store } = await site()
    await pass(EVERY)
    await visitor.get('/')
    await visitor.get('/')
    const before = (await client.hget(key, '@renew')) as string
    await pass(EVERY)
    await visitor.get('/')
    await client.hset(key, '@renew', before)
    expect(isAnonymous(await visitor.get('/'))).toBe(false)
    expect(isAnonymous(await visitor.get('/'))).toBe(false)
    expect(store.counters.reuse).toBe(0)
  })

  test.each(['', 'x', '1 2 c', `1 ${'z'.repeat(10)} c u0 ${'A'.repeat(22)} more`, '1 2 c 3 ../../etc/passwd'])(
    'a hostile @renew field %j makes the session unreadable',
    async (text) => {
      const { visitor, key, store } = await site()
      await client.hset(key, '@renew', text)
      expect(isAnonymous(await visitor.get('/'))).toBe(true)
      expect(await store.info(visitor.sid)).toBeNull()
      expect(await store.read(visitor.sid, ['userId'])).toBeNull()
      expect(store.counters.corrupt).toBe(1)
      expect(await client.hget(key, '@renew')).toBe(text)
    },
  )
})

test('a plain set under a renewed id keeps the id good', async () => {
  const { visitor, pass, store } = await site()
  await pass(EVERY)
  await visitor.get('/')
  await visitor.get('/')
  await store.set(visitor.sid, { userId: 'bob' })
  expect(body(await visitor.get('/'))).toMatchObject({ userId: 'bob' })
})

test('a session that connect-redis wrote is renewed once it is a hash', async () => {
  const { key, store, with: come } = await site()
  const prefix = key.split(':')[0]
  const text = JSON.stringify({
    cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' },
    userId: 'ada',
  })
  await client.set(`${prefix}:written-by-connect-redis`, text, 'EX', 3600)
  const visitor = come('written-by-connect-redis')
  expect(setCookieOf(await visitor.get('/'))).toBeUndefined()
  await visitor.get('/?changed=1')
  await passTime(client, `${prefix}:written-by-connect-redis`, EVERY * 1000)
  await visitor.get('/')
  expect(visitor.sid).toMatch(/^written-by-connect-redis~r1~/)
  expect(await store.exists(visitor.sid)).toBe(true)
})

test('ids too long to be renewed are refused at the first request', async () => {
  const { errors, server } = await site({ session: { genid: () => 'i'.repeat(201) } }).catch((err) => err)
  expect(server).toBeDefined()
  expect(errors[0].message).toMatch(/"genid"/)
})

test('a genid that returns what looks like a renewed id is refused', async () => {
  const { errors } = await site({ session: { genid: () => `abc~r1~${'A'.repeat(22)}` } })
  expect(errors[0].code).toBe('ERR_SESSION_INVALID_ID')
})

test.each([
  [{ every: -1 }, /"every"/],
  [{ every: '900' }, /"every"/],
  [{ every: Number.NaN }, /"every"/],
  [{ grace: -1 }, /"grace"/],
  [{ every: 60, grace: Number.POSITIVE_INFINITY }, /"grace"/],
  [{ grace: '1' }, /"grace"/],
  [{ interval: 3 }, /no option "interval"/],
])('%j is refused', (options, message) => {
  expect(() => renewSession(options as never)).toThrow(message)
})

test('with every 0, each request with a confirmed id gets the next one', async () => {
  const { visitor, store } = await site({ renewal: { every: 0, grace: 30 } })
  const sids = new Set([visitor.sid])
  for (let i = 0; i < 3; i++) {
    await visitor.get('/')
    sids.add(visitor.sid)
  }
  expect([sids.size, store.counters.renewed]).toEqual([4, 3])
  expect(isAnonymous(await visitor.get('/'))).toBe(false)
})

test('an id two renewals old is taken for stolen at once, however long the grace is', async () => {
  const { visitor, thief } = await site({ renewal: { every: 0, grace: 3600 } })
  const stale = thief()
  for (let i = 0; i < 3; i++) await visitor.get('/')
  expect(isAnonymous(await stale.get('/'))).toBe(true)
})

test('every 15 minutes and half a minute of grace are the default', async () => {
  const { visitor, pass, thief, key } = await site({ renewal: { every: undefined, grace: undefined } as never })
  const stale = thief()
  await pass(890)
  await visitor.get('/')
  expect(visitor.sid).toBe(stale.sid)
  await pass(10)
  await visitor.get('/')
  await visitor.get('/')
  expect(visitor.sid).not.toBe(stale.sid)
  await pass(25)
  expect(isAnonymous(await stale.get('/'))).toBe(false)
  await pass(5)
  expect(isAnonymous(await stale.get('/'))).toBe(true)
  expect(await client.exists(key)).toBe(0)
})

test('where only a short `every` is given, the grace is half of it', async () => {
  const { visitor, pass, thief } = await site({ renewal: { every: 20, grace: undefined } as never })
  const stale = thief()
  await pass(20)
  await visitor.get('/')
  await visitor.get('/')
  await pass(8)
  expect(isAnonymous(await stale.get('/'))).toBe(false)
  await pass(2)
  expect(isAnonymous(await stale.get('/'))).toBe(true)
})
