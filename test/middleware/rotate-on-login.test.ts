import { createServer, type Server } from 'node:http'
import { Readable } from 'node:stream'
import connectFramework from 'connect'
import { RedisStore, type RotateOnLoginOptions, rotateOnLogin, saveBeforeResponse } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express5 from 'express'
import session from 'express-session'
import express4 from 'express4'
import { watchCommands } from '../support/commands.js'
import { type Gate, gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: three frameworks, one shape */
type App = any

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
const principal = (held: unknown) => (held as { userId?: string }).userId
// Each session() of a test listens to the store.
store.setMaxListeners(0)
const servers: Server[] = []
let slow: Gate

beforeEach(() => {
  slow = gate()
})
afterAll(async () => {
  for (const server of servers) server.close()
  await store.clear()
  await client.quit()
})

const responses: Record<string, (res: App) => unknown> = {
  end: (res) => res.end('ok'),
  'writeHead and end': (res) => {
    res.writeHead(200, { 'X-Explicit': 'yes' })
    res.end('ok')
  },
  'a streamed body': (res) => Readable.from(['o', 'k']).pipe(res),
  'write and end': (res) => {
    res.write('o')
    res.end('k')
  },
}
const expressResponses: Record<string, (res: App) => unknown> = {
  ...responses,
  send: (res) => res.send('ok'),
  json: (res) => res.json('ok'),
  redirect: (res) => res.redirect('/show'),
}

function routes(req: App, res: App, next: (err?: unknown) => void): unknown {
  const { pathname, searchParams } = new URL(req.url, 'http://x')
  const bag = req.session
  for (const [name, value] of searchParams) bag[name] = value
  switch (pathname) {
    case '/set':
      return res.end('ok')
    case '/show':
      return res.end(JSON.stringify(bag))
    case '/drop-user':
      delete bag.userId
      return res.end('ok')
    case '/destroy':
      return bag.destroy(() => res.end('bye'))
    case '/throws':
      throw new Error('after the login')
    case '/async':
      return setImmediate(() => {
        bag.userId = 'ada'
        res.end('ok')
      })
    case '/save':
      bag.userId = 'ada'
      return bag.save((err: unknown) => (err ? next(err) : res.end(`saved ${req.sessionID}`)))
    case '/save-and-end':
      bag.userId = 'ada'
      bag.save()
      return res.end('ok')
    case '/regenerate':
      return bag.regenerate(() => {
        req.session.userId = 'ada'
        res.end(req.sessionID)
      })
    case '/too-late':
      res.write('begun ')
      return setImmediate(() => {
        bag.userId = 'ada'
        res.end('done')
      })
    case '/slow':
      return slow.wait().then(() => {
        bag.late = 'yes'
        res.end(JSON.stringify({ user: bag.userId ?? null }))
      })
    case '/wait':
      return slow.wait().then(() => res.end('ok'))
    case '/remember':
      bag.userId = 'ada'
      bag.cookie.maxAge = 3_600_000
      return res.end('ok')
  }
  const respond = expressResponses[decodeURIComponent(pathname.slice(1))]
  if (respond === undefined) return next()
  bag.userId = 'ada'
  return respond(res)
}

interface Site {
  visitor: Visitor
  /** Another visitor with the same cookie. */
  twin(): Visitor
  errors: App[]
}

interface SiteOptions {
  app?: App
  rotation?: Partial<RotateOnLoginOptions>
  session?: Partial<session.SessionOptions>
  store?: RedisStore
  also?: App
}

async function site({
  app = express5(),
  rotation,
  session: options,
  store: own = store,
  also,
}: SiteOptions = {}): Promise<Site> {
  const errors: App[] = []
  app.use(session({ store: own, secret: 's', resave: false, saveUninitialized: false, ...options }))
  app.use(rotateOnLogin({ principal, ...rotation }))
  if (also) app.use(also)
  app.use(routes)
  app.use((err: App, _req: App, res: App, _next: unknown) => {
    errors.push(err)
    if (res.headersSent) return res.destroy()
    res.statusCode = err.status ?? 500
    res.end(err.code ?? err.message)
  })
  const server = createServer(app)
  servers.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const visitor = new Visitor(server)
  return { visitor, errors, twin: () => new Visitor(server, visitor.cookie) }
}

const exists = async (sid: string) => (await client.exists(prefix + sid)) === 1

describe.each<[string, () => App, Record<string, unknown>]>([
  ['Express 5', express5, expressResponses],
  ['Express 4', express4, expressResponses],
  ['Connect', connectFramework, responses],
])('on %s, a login', (_name, make, styles) => {
  test.each(Object.keys(styles))('that answers with %s changes the id and ends the old session', async (style) => {
    const { visitor } = await site({ app: make() })
    await visitor.get('/set?cart=tea')
    const planted = visitor.sid
    const response = await visitor.get(`/${encodeURIComponent(style)}`)
    expect(response.status).toBe(style === 'redirect' ? 302 : 200)
    expect(visitor.sid).not.toBe(planted)
    expect(await exists(planted)).toBe(false)
    expect(await store.read(visitor.sid, ['userId', 'cart'])).toEqual({ userId: 'ada', cart: 'tea' })
    if (style === 'writeHead and end') expect(response.headers['x-explicit']).toBe('yes')
  })

  test('in an async handler, in an explicit save, and in a save nobody waits for changes the id', async () => {
    for (const path of ['/async', '/save', '/save-and-end']) {
      const { visitor } = await site({ app: make() })
      await visitor.get('/set?cart=tea')
      const planted = visitor.sid
      const { text } = await visitor.get(path)
      expect(visitor.sid).not.toBe(planted)
      if (path === '/save') expect(text).toBe(`saved ${visitor.sid}`)
      expect(await exists(planted)).toBe(false)
      expect(await store.read(visitor.sid, ['userId', 'cart'])).toEqual({ userId: 'ada', cart: 'tea' })
    }
  })

  test('followed by an error in the handler changes the id too', async () => {
    const { visitor } = await site({ app: make() })
    await visitor.get('/set?cart=tea')
    const planted = visitor.sid
    expect((await visitor.get('/throws?userId=ada')).status).toBe(500)
    expect(await exists(planted)).toBe(false)
    expect(visitor.sid).not.toBe(planted)
  })
})

describe('the id', () => {
  test('stays when the user stays, and when an anonymous visitor only shops', async () => {
    const { visitor } = await site()
    await visitor.get('/set?cart=tea')
    const anonymous = visitor.sid
    await visitor.get('/set?cart=coffee')
    expect(visitor.sid).toBe(anonymous)
    await visitor.get('/set?userId=ada')
    const mine = visitor.sid
    await visitor.get('/set?userId=ada&cart=milk')
    await visitor.get('/show')
    expect(visitor.sid).toBe(mine)
  })

  test('is never saved with the user before it has changed: nobody can ride in on the old one', async () => {
    const { visitor } = await site()
    await visitor.get('/set?cart=tea')
    const planted = prefix + visitor.sid
    const log = await watchCommands(client, planted)
    await visitor.get('/save')
    const onPlanted = (await log.take()).filter((args) => args.includes(planted))
    log.stop()
    expect(onPlanted.map(([name]) => name?.toLowerCase())).toEqual(['hgetall', 'evalsha'])
  })

  test('of a session that began in this very request stays: nobody knows it', async () => {
    const { visitor } = await site()
    const before = store.counters.rotated
    await visitor.get('/set?userId=ada')
    expect(await store.read(visitor.sid, ['userId'])).toEqual({ userId: 'ada' })
    expect(store.counters.rotated).toBe(before)
  })

  test('is not changed twice where the application regenerates the session itself', async () => {
    const { visitor } = await site()
    await visitor.get('/set?cart=tea')
    const before = store.counters.rotated
    const { text } = await visitor.get('/regenerate')
    expect(visitor.sid).toBe(text)
    expect(store.counters.rotated).toBe(before)
    expect(await store.read(visitor.sid, ['userId', 'cart'])).toEqual({ userId: 'ada' })
  })

  test('keeps its time of creation, its absolute deadline and "remember me" across the change', async () => {
    const own = new RedisStore({ client, prefix, absoluteTimeout: 100 })
    const { visitor } = await site({ store: own })
    await visitor.get('/set?cart=tea')
    const before = await own.info(visitor.sid)
    // express-session reads the clock twice for one maxAge.
    jest.spyOn(Date, 'now').mockReturnValue(Date.now())
    await visitor.get('/remember')
    jest.restoreAllMocks()
    expect((await own.info(visitor.sid))?.createdAt).toEqual(before?.createdAt)
    expect(await client.pttl(prefix + visitor.sid)).toBeLessThanOrEqual(100_000)
    expect((await own.get(visitor.sid))?.cookie.originalMaxAge).toBe(3_600_000)
  })

  test('that changed is announced with handles only', async () => {
    const { visitor } = await site()
    await visitor.get('/set?cart=tea')
    const old = visitor.sid
    const rotated = new Promise<unknown>((resolve) => {
      store.once('rotated', resolve)
    })
    await visitor.get('/set?userId=ada')
    const event = await rotated
    expect(event).toEqual({ handle: expect.any(String), previousHandle: expect.any(String), reason: 'login' })
    expect(JSON.stringify(event)).not.toContain(old)
    expect(JSON.stringify(event)).not.toContain(visitor.sid)
  })
})

describe('what is kept', () => {
  test.each<[string, RotateOnLoginOptions['keep'], object]>([
    ['all', 'all', { userId: 'ada', cart: 'tea', theme: 'dark', flash: 'hi' }],
    ['none', 'none', { userId: 'ada', flash: 'hi' }],
    ['a list', ['cart'], { userId: 'ada', cart: 'tea', flash: 'hi' }],
  ])('by a login with keep = %s', async (_name, keep, expected) => {
    const { visitor } = await site({ rotation: keep === undefined ? {} : { keep } })
    await visitor.get('/set?cart=tea&theme=dark')
    await visitor.get('/set?userId=ada&flash=hi')
    const { cookie: _cookie, ...held } = (await store.read(visitor.sid)) as Record<string, unknown>
    expect(held).toEqual(expected)
  })

  test.each([
    ['from one user to another', '/set?userId=bob&flash=hi', { userId: 'bob', flash: 'hi' }],
    ['from a user to nobody', '/drop-user?flash=hi', { flash: 'hi' }],
  ])('%s is only what that request wrote', async (_name, path, expected) => {
    const { visitor } = await site()
    await visitor.get('/set?userId=ada&secret=of-ada')
    const adas = visitor.sid
    await visitor.get(path)
    expect(visitor.sid).not.toBe(adas)
    expect(await exists(adas)).toBe(false)
    const { cookie: _cookie, ...held } = (await store.read(visitor.sid)) as Record<string, unknown>
    expect(held).toEqual(expected)
  })
})

describe('a parallel request with the old id', () => {
  test.each([
    ['with a session cookie', {}],
    ['with maxAge', { cookie: { maxAge: 600_000 } }],
    ['with maxAge and rolling', { cookie: { maxAge: 600_000 }, rolling: true }],
  ])('%s ends as anonymous, saves nothing and sends no cookie', async (_name, options) => {
    const { visitor, twin } = await site({ session: options })
    await visitor.get('/set?cart=tea')
    await visitor.get('/show')
    const late = twin()
    const old = late.sid
    const pending = late.get('/slow')
    await slow.reached
    await visitor.get('/set?userId=ada')
    slow.open()
    const response = await pending
    expect(response.body).toEqual({})
    expect(JSON.parse(response.text)).toEqual({ user: null })
    expect(response.headers['set-cookie']).toBeUndefined()
    expect(await exists(old)).toBe(false)
    expect(await store.read(visitor.sid, ['userId', 'late'])).toEqual({ userId: 'ada' })
  })

  test.each([
    ['that reads, with rolling', { cookie: { maxAge: 600_000 }, rolling: true }, 'wait'],
    ['that reads, with rolling and a session cookie', { rolling: true }, 'wait'],
    ['that writes, with rolling and a session cookie', { rolling: true }, 'slow'],
  ])('%s sends no cookie, although its process has answered nothing before', async (_name, options, path) => {
    const own = () => new RedisStore({ client, prefix })
    const { visitor } = await site({ session: options, store: own() })
    const { visitor: late } = await site({ session: options, store: own() })
    await visitor.get('/set?cart=tea')
    late.cookie = visitor.cookie
    const pending = late.get(`/${path}`)
    await slow.reached
    await visitor.get('/set?userId=ada')
    slow.open()
    expect((await pending).headers['set-cookie']).toBeUndefined()
    expect((await visitor.get('/show')).text).toContain('ada')
  })

  test('costs reading requests one command more only until the first response has shown that there is no rolling', async () => {
    const { visitor } = await site({ store: new RedisStore({ client, prefix }) })
    await visitor.get('/set?cart=tea')
    const commands = await watchCommands(client, prefix)
    const counts: number[] = []
    for (let i = 0; i < 3; i++) {
      await visitor.get('/show')
      counts.push((await commands.take()).length)
    }
    commands.stop()
    expect(counts).toEqual([2, 1, 1])
  })

  test('that only reads, with rolling, sends no cookie either', async () => {
    const { visitor, twin } = await site({ session: { cookie: { maxAge: 600_000 }, rolling: true } })
    await visitor.get('/set?cart=tea')
    await visitor.get('/show')
    const late = twin()
    await visitor.get('/set?userId=ada')
    const response = await late.get('/show')
    expect(response.headers['set-cookie']).toBeUndefined()
  })

  test('that arrives after the login is anonymous, and what it sets does not replace the new cookie', async () => {
    const { visitor, twin } = await site()
    await visitor.get('/set?cart=tea')
    const late = twin()
    await visitor.get('/set?userId=ada')
    const response = await late.get('/set?flash=late')
    expect(response.headers['set-cookie']).toBeUndefined()
    expect((await late.get('/show')).text).not.toContain('ada')
  })

  test('may log in itself', async () => {
    const { visitor, twin } = await site()
    await visitor.get('/set?cart=tea')
    const late = twin()
    await visitor.get('/set?userId=ada')
    await late.get('/set?userId=bob')
    expect(await store.read(late.sid, ['userId'])).toEqual({ userId: 'bob' })
  })
})

describe('a login that cannot be carried out', () => {
  test.each(['del', 'evalsha'])('because Redis forbids %s is answered with 503 and no cookie', async (command) => {
    await client.call(
      'ACL',
      'SETUSER',
      `no-${command}`,
      'on',
      '>pw',
      '~*',
      '+@all',
      `-${command}`,
      ...(command === 'evalsha' ? ['-eval'] : []),
    )
    const limited = connect({ username: `no-${command}`, password: 'pw' })
    const { visitor: first } = await site()
    await first.get('/set?cart=tea')
    for (const path of ['/set?userId=ada', '/save', '/redirect']) {
      const { visitor, errors } = await site({ store: new RedisStore({ client: limited, prefix }) })
      visitor.cookie = first.cookie
      await store.set(first.sid, { cookie: { originalMaxAge: null }, cart: 'tea' })
      const response = await visitor.get(path)
      expect([path, response.status]).toEqual([path, 503])
      expect(response.headers['set-cookie']).toBeUndefined()
      expect(response.headers.location).toBeUndefined()
      expect(errors[0].code).toBe('ERR_SESSION_FORBIDDEN')
      const left = await store.read(first.sid, ['userId'])
      expect(left ?? {}).toEqual({})
    }
    await limited.quit()
  })

  test('because the response has begun: nothing is saved, and the error says so', async () => {
    const { visitor, errors } = await site()
    await visitor.get('/set?cart=tea')
    const { sid } = visitor
    await visitor.get('/too-late').catch(() => undefined)
    // express-session reports a failed save after the response.
    while (errors.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(errors[0].code).toBe('ERR_SESSION_HEADERS_SENT')
    expect(await store.read(sid)).not.toHaveProperty('userId')
  })
})

test('a forged cookie of a planted id stays anonymous after the victim has logged in with it', async () => {
  const { visitor, twin } = await site()
  await visitor.get('/set?cart=tea')
  const attacker = twin()
  await visitor.get('/set?userId=ada')
  expect((await attacker.get('/show')).text).not.toContain('ada')
  const forged = new Visitor(
    servers.at(-1) as Server,
    `connect.sid=${encodeURIComponent(`s:${sign(visitor.sid, 'guess')}`)}`,
  )
  expect((await forged.get('/show')).text).not.toContain('ada')
})

test('works next to saveBeforeResponse, whichever comes first', async () => {
  const { visitor } = await site({ also: saveBeforeResponse() })
  await visitor.get('/set?cart=tea')
  const planted = visitor.sid
  await visitor.get('/redirect')
  expect(visitor.sid).not.toBe(planted)
  expect(await store.read(visitor.sid, ['userId', 'cart'])).toEqual({ userId: 'ada', cart: 'tea' })
})

describe('without a principal', () => {
  test("the store's index of users says who a session belongs to", async () => {
    const indexed = new RedisStore({ client, prefix, indexes: { user: (held) => held.userId } })
    const { visitor, twin } = await site({ store: indexed, rotation: { principal: undefined } as never })
    await visitor.get('/set?cart=tea')
    const planted = twin()
    await visitor.get('/set?userId=ada')
    expect(visitor.sid).not.toBe(planted.sid)
    expect(await indexed.findBy('user', 'ada')).toHaveLength(1)
  })

  test('and without that index, every request fails with an error that says what to give', async () => {
    const { visitor, errors } = await site({ rotation: { principal: undefined } as never })
    expect((await visitor.get('/show')).status).toBe(500)
    expect(errors[0].message).toMatch(/indexes: \{ user: .*principal:/)
  })
})

test.each<[string, (held: App) => unknown]>([
  ['a boolean', (held) => Boolean(held.userId)],
  ['NaN', (held) => Number(held.userId ?? Number.NaN)],
  ['a symbol', (held) => (held.userId ? Symbol(held.userId) : null)],
  ['a function', (held) => (held.userId ? () => held.userId : null)],
  ['an object that JSON does not show', (held) => (held.userId ? new Map([['id', held.userId]]) : null)],
])('a principal that is %s fails the login: users could not be told apart', async (_name, told) => {
  const { visitor, errors } = await site({ rotation: { principal: told } })
  expect((await visitor.get('/set?userId=ada')).status).toBe(500)
  expect(visitor.cookie).toBe('')
  expect(errors[0].message).toMatch(/principal must return an id/)
})

test('7 and "7" are one user', async () => {
  const { visitor } = await site({ rotation: { principal: (held) => (held.n ? Number(held.userId) : held.userId) } })
  await visitor.get('/set?userId=7&cart=tea')
  const { sid } = visitor
  await visitor.get('/set?n=1')
  expect(visitor.sid).toBe(sid)
})

test('an empty name is nobody, and a number or a bigint an id', async () => {
  const { visitor } = await site({ rotation: { principal: (held) => (held.userId ? BigInt(held.userId) : '') } })
  await visitor.get('/set?cart=tea')
  const { sid } = visitor
  await visitor.get('/set?cart=milk')
  expect(visitor.sid).toBe(sid)
  await visitor.get('/set?userId=7')
  expect(visitor.sid).not.toBe(sid)
})

test.each([
  [{ principal: 'userId' }, /"principal" option/],
  [{ principal, keep: 'some' }, /"keep" option/],
  [{ principal, keep: [1] }, /"keep" option/],
  [{ principal, kep: 'all' }, /no option "kep"/],
])('options %j throw a TypeError that names the option', (options, message) => {
  expect(() => rotateOnLogin(options as never)).toThrow(TypeError)
  expect(() => rotateOnLogin(options as never)).toThrow(message)
})
