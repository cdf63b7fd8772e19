import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import connectFramework from 'connect'
import {
  type BindClientOptions,
  bindClient,
  RedisStore,
  requireFreshLogin,
  rotateOnLogin,
  rotateSession,
  type SessionEventName,
  saveBeforeResponse,
} from 'connect-redis-hash'
import express5 from 'express'
import session from 'express-session'
import express4 from 'express4'
import { type CommandLog, watchCommands } from '../support/commands.js'
import { connect, freshPrefix } from '../support/redis.js'
import { CHROME, CURL, DIFFERENT, SAFARI_IPHONE, UPDATES } from './binding/user-agents.js'

/** biome-ignore lint/suspicious/noExplicitAny: three frameworks, one shape */
type App = any

const EVENTS: SessionEventName[] = [
  'created',
  'saved',
  'destroyed',
  'rotated',
  'refused',
  'conflict',
  'mismatch',
  'warning',
]
const HOME = '203.0.113.7'
const AWAY = '198.51.100.20'
const client = connect()
const servers: Server[] = []
const prefixes: string[] = []

afterAll(async () => {
  for (const server of servers) server.close()
  for (const prefix of prefixes) await new RedisStore({ client, prefix }).clear()
  await client.quit()
})

interface From {
  /** The address that the proxy reports. */
  ip?: string | undefined
  /** Null means that there is none. */
  ua?: string | null | undefined
  localAddress?: string
}

interface Answer {
  status: number
  text: string
  headers: IncomingHttpHeaders
}

interface Site {
  store: RedisStore
  prefix: string
  events: [name: string, payload: App][]
  errors: App[]
  /** Asks with the cookie jar of one browser, from whatever place. */
  get(path: string, from?: From): Promise<Answer>
  /** Asks for what the handler saw. */
  look(from?: From): Promise<{ binding: App; user: string | null; cart: string | null }>
  cookie: string
  readonly sid: string
  hash(): Promise<Record<string, string>>
}

interface SiteOptions {
  app?: App
  trustProxy?: unknown
  binding?: Partial<BindClientOptions>
  of?: Site
  session?: Partial<session.SessionOptions>
}

function routes(req: App, res: App, next: (err?: unknown) => void): unknown {
  const { pathname, searchParams } = new URL(req.url, 'http://x')
  const bag = req.session
  for (const [name, value] of searchParams) bag[name] = value
  switch (pathname) {
    case '/set':
      return res.end('ok')
    case '/look':
      return res.end(JSON.stringify({ binding: req.sessionBinding, user: bag.userId ?? null, cart: bag.cart ?? null }))
    case '/password':
      return rotateSession(req).then(() => res.end('welcome back'), next)
    case '/privilege':
      return rotateSession(req, { login: false }).then(() => res.end('admin'), next)
    case '/regenerate':
      return bag.regenerate(() => {
        req.session.userId = 'eve'
        res.end('ok')
      })
    case '/sensitive':
      return requireFreshLogin({ within: 60 })(req, res, (err?: unknown) => (err ? next(err) : res.end('done')))
  }
  return next()
}

async function site({
  app = express5(),
  trustProxy = 1,
  binding,
  of,
  session: options,
}: SiteOptions = {}): Promise<Site> {
  const prefix = of?.prefix ?? freshPrefix()
  prefixes.push(prefix)
  const store = new RedisStore({ client, prefix })
  const events: Site['events'] = []
  for (const name of EVENTS) store.on(name, (payload) => events.push([name, payload]))
  const errors: App[] = []
  if (typeof app.set === 'function') app.set('trust proxy', trustProxy)
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false, ...options }))
  app.use(bindClient({ secret: 'key', ...binding }))
  app.use(rotateOnLogin({ principal: (held) => (held as { userId?: string }).userId }))
  app.use(saveBeforeResponse())
  app.use(routes)
  app.use((err: App, _req: App, res: App, _next: unknown) => {
    errors.push(err)
    res.statusCode = err.status ?? 500
    res.end(err.code ?? err.message)
  })
  const server = createServer(app)
  servers.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, resolve)
  })
  const made: Site = {
    store,
    prefix,
    events,
    errors,
    cookie: of?.cookie ?? '',
    async get(path, from) {
      const answer = await ask(server, path, made.cookie, from)
      const set = answer.headers['set-cookie']?.[0]
      if (set !== undefined) made.cookie = set.split(';')[0] as string
      return answer
    },
    async look(from) {
      return JSON.parse((await made.get('/look', from)).text)
    },
    get sid() {
      const value = decodeURIComponent(made.cookie.split('=')[1] ?? '')
      return value.slice(2, value.lastIndexOf('.'))
    },
    hash: () => client.hgetall(prefix + made.sid),
  }
  return made
}

function ask(server: Server, path: string, cookie: string, from: From = {}): Promise<Answer> {
  const { ip = HOME, ua = CHROME, localAddress = '127.0.0.1' } = from
  const headers = {
    ...(ip === '' ? {} : { 'X-Forwarded-For': ip }),
    ...(ua === null ? {} : { 'User-Agent': ua }),
    ...(cookie === '' ? {} : { Cookie: cookie }),
  }
  const { port } = server.address() as { port: number }
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers, localAddress, agent: false }, (res) => {
      let text = ''
      res.on('data', (chunk) => {
        text += chunk
      })
      res.on('end', () => resolve({ status: res.statusCode as number, text, headers: res.headers }))
    })
    sent.on('error', reject).end()
  })
}

const verdictOf = (answer: { binding: { verdict: string } }) => answer.binding.verdict

/** A site whose visitor has a session, with a user in it, bound to `from`. */
async function loggedIn(options: SiteOptions = {}, from: From = {}): Promise<Site> {
  const made = await site(options)
  await made.get('/set?userId=ada&cart=tea', from)
  made.events.length = 0
  return made
}

describe('the browser', () => {
  test.each(UPDATES)('%s stays the same when it is updated', async (_name, before, after) => {
    const shop = await loggedIn({}, { ua: before })
    expect(await shop.look({ ua: after })).toMatchObject({ binding: { verdict: 'match', action: 'none' }, user: 'ada' })
  })

  test.each(DIFFERENT)('%s is another client', async (_name, one, other) => {
    const shop = await loggedIn({}, { ua: one ?? null })
    expect(verdictOf(await shop.look({ ua: other ?? null }))).toBe('client')
    expect(verdictOf(await shop.look({ ua: one ?? null }))).toBe('match')
  })

  test("is compared to the letter with 'exact', and not at all with false", async () => {
    const [, before, after] = UPDATES[0] as (typeof UPDATES)[number]
    const exact = await loggedIn({ binding: { userAgent: 'exact' } }, { ua: before })
    expect(verdictOf(await exact.look({ ua: before }))).toBe('match')
    expect(verdictOf(await exact.look({ ua: after }))).toBe('client')
    const off = await loggedIn({ binding: { userAgent: false } })
    expect(verdictOf(await off.look({ ua: CURL }))).toBe('match')
    expect(await off.hash()).not.toHaveProperty('@ua')
  })
})

describe('the network', () => {
  test.each<[string, string, string, string]>([
    ['another address of the same /24', '203.0.113.7', '203.0.113.250', 'match'],
    ['the neighbouring /24', '203.0.113.7', '203.0.112.7', 'network'],
    ['another address of the same /64', '2001:db8:1:2:aaaa::1', '2001:db8:1:2:bbbb:cccc:dddd:eeee', 'match'],
    ['the same /64 written otherwise', '2001:db8:1:2::1', '2001:0DB8:0001:0002:0:0:0:0009', 'match'],
    ['the neighbouring /64', '2001:db8:1:2::1', '2001:db8:1:3::1', 'network'],
    ['v4 -> v6', '203.0.113.7', '2001:db8:1:2::1', 'match'],
    ['v6 -> v4', '2001:db8:1:2::1', '203.0.113.7', 'match'],
    ['v4 -> the same address mapped, dotted', '203.0.113.7', '::ffff:203.0.113.9', 'match'],
    ['v4 -> the same address mapped, in hex', '203.0.113.7', '::ffff:cb00:7109', 'match'],
    ['mapped in hex -> mapped, dotted', '::ffff:cb00:7107', '::FFFF:203.0.113.9', 'match'],
    ['v4 -> another address mapped', '203.0.113.7', '::ffff:198.51.100.7', 'network'],
    ['a readable address -> one that is not', '203.0.113.7', 'unknown', 'network'],
    ['an unreadable address -> a readable one', 'unknown', '203.0.113.7', 'match'],
  ])('%s', async (_name, one, other, verdict) => {
    const shop = await loggedIn({}, { ip: one })
    expect(verdictOf(await shop.look({ ip: other }))).toBe(verdict)
  })

  test('is decided on bits, not on notation', async () => {
    const shop = await loggedIn({ binding: { ip: { v4: 20, v6: 50 } } }, { ip: '198.51.100.7' })
    expect(verdictOf(await shop.look({ ip: '198.51.111.255' }))).toBe('match')
    expect(verdictOf(await shop.look({ ip: '198.51.112.0' }))).toBe('network')
    await shop.get('/set?cart=6', { ip: '2001:db8:0:4000::1' })
    expect(verdictOf(await shop.look({ ip: '2001:db8:0:7fff::1' }))).toBe('match')
    expect(verdictOf(await shop.look({ ip: '2001:db8:0:8000::1' }))).toBe('network')
  })

  test('has one slot per address family: a phone flips to and fro, and is recognised in both', async () => {
    const shop = await loggedIn({}, { ip: '203.0.113.7' })
    await shop.look({ ip: '2001:db8:1:2::1' })
    expect(await shop.hash()).not.toHaveProperty('@ip6')
    await shop.get('/set?cart=6', { ip: '2001:db8:1:2::1' })
    expect(await shop.hash()).toMatchObject({ '@ip4': expect.any(String), '@ip6': expect.any(String) })
    expect(verdictOf(await shop.look({ ip: '203.0.113.8' }))).toBe('match')
    expect(verdictOf(await shop.look({ ip: '2001:db8:1:2::2' }))).toBe('match')
    expect(verdictOf(await shop.look({ ip: '2001:db8:9:9::2' }))).toBe('network')
    expect(verdictOf(await shop.look({ ip: '198.51.100.7' }))).toBe('network')
  })

  test('of a request that does not match is never learned', async () => {
    const shop = await loggedIn({ binding: { onMismatch: 'observe' } }, { ip: '203.0.113.7' })
    await shop.get('/set?cart=stolen', { ip: '2001:db8:1:2::1', ua: CURL })
    expect(await shop.hash()).not.toHaveProperty('@ip6')
    await shop.get('/set?cart=stolen', { ip: AWAY })
    expect(verdictOf(await shop.look({ ip: AWAY }))).toBe('network')
  })

  test('is not compared with ip: false', async () => {
    const shop = await loggedIn({ binding: { ip: false } })
    expect(verdictOf(await shop.look({ ip: AWAY }))).toBe('match')
    expect(Object.keys(await shop.hash())).not.toContain('@ip4')
  })

  test('of other options than those it was stored with is learned anew, not a mismatch', async () => {
    const before = await loggedIn({ binding: { ip: { v4: 16 }, userAgent: 'exact' } })
    const after = await site({ of: before })
    expect(verdictOf(await after.look())).toBe('match')
    await after.get('/set?cart=milk')
    expect(verdictOf(await after.look({ ip: '203.0.112.7' }))).toBe('network')
  })
})

describe('proxies', () => {
  test('trust proxy true is refused with an error that says what to set, sessions or not', async () => {
    const shop = await site({ trustProxy: true })
    expect((await shop.get('/look')).status).toBe(500)
    expect(shop.errors[0].message).toMatch(/app\.set\('trust proxy', 1\)/)
    expect((await (await site({ trustProxy: true, binding: { ip: false } })).get('/set')).status).toBe(200)
  })

  test('a forged left-most X-Forwarded-For changes nothing with trust proxy 1', async () => {
    const shop = await loggedIn()
    expect(verdictOf(await shop.look({ ip: `${AWAY}, ${HOME}` }))).toBe('match')
    expect(verdictOf(await shop.look({ ip: `${HOME}, ${AWAY}` }))).toBe('network')
    expect(verdictOf(await shop.look({ ip: `${HOME}, 10.0.0.1, ${AWAY}` }))).toBe('network')
  })

  test('X-Forwarded-For with trust proxy off is not believed, and said once', async () => {
    const shop = await site({ trustProxy: false })
    await shop.get('/set?userId=ada', { ip: '' })
    expect(shop.events.filter(([name]) => name === 'warning')).toEqual([])
    expect(verdictOf(await shop.look({ ip: AWAY }))).toBe('match')
    await shop.look({ ip: AWAY })
    const warnings = shop.events.filter(([name]) => name === 'warning')
    expect(warnings).toEqual([
      ['warning', { code: 'forwarded-untrusted', message: expect.stringContaining('trust proxy') }],
    ])
    expect(JSON.stringify(shop.events)).not.toContain(AWAY)
  })
})

describe('by default', () => {
  test('another network is observed, and never ends a session', async () => {
    const shop = await loggedIn()
    for (const ip of [AWAY, '192.0.2.1', 'unknown', '100.64.0.1']) {
      expect(await shop.look({ ip })).toEqual({
        binding: { verdict: 'network', action: 'observe' },
        user: 'ada',
        cart: 'tea',
      })
    }
    expect((await shop.get('/sensitive', { ip: AWAY })).text).toBe('done')
  })

  test('another browser makes the login stale, for every client, until the user logs in again', async () => {
    const shop = await loggedIn()
    expect((await shop.get('/sensitive')).text).toBe('done')
    expect(await shop.look({ ua: SAFARI_IPHONE })).toEqual({
      binding: { verdict: 'client', action: 'reauthenticate' },
      user: 'ada',
      cart: 'tea',
    })
    // It was written although express-session had nothing to save.
    expect((await shop.hash())['@login']).toBe('0')
    expect((await shop.get('/sensitive')).status).toBe(401)
    expect((await shop.get('/sensitive', { ua: SAFARI_IPHONE })).status).toBe(401)

    expect((await shop.get('/password', { ua: SAFARI_IPHONE })).text).toBe('welcome back')
    expect((await shop.get('/sensitive', { ua: SAFARI_IPHONE })).text).toBe('done')
    expect(verdictOf(await shop.look({ ua: SAFARI_IPHONE }))).toBe('match')
    expect(verdictOf(await shop.look({ ua: CHROME }))).toBe('client')
  })

  test.each([
    ['a plain cookie', {}],
    ['maxAge, rolling and a priority', { cookie: { maxAge: 60_000, priority: 'high' as const }, rolling: true }],
  ])('both changed ends the session; with %s, its successor is neither saved nor sent', async (_name, options) => {
    const shop = await loggedIn({ session: options })
    const { cookie } = shop
    const answer = await shop.get('/look', { ip: AWAY, ua: CURL })
    expect(JSON.parse(answer.text)).toEqual({ binding: { verdict: 'both', action: 'destroy' }, user: null, cart: null })
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(await client.keys(`${shop.prefix}*`)).toEqual([])
    shop.cookie = cookie
    expect(await shop.look()).toMatchObject({ user: null })
  })

  test('a visitor who loses the session that way may log in with the same request', async () => {
    const shop = await loggedIn()
    const before = shop.sid
    await shop.get('/set?userId=bob', { ip: AWAY, ua: CURL })
    expect(shop.sid).not.toBe(before)
    expect(await shop.look({ ip: AWAY, ua: CURL })).toEqual({
      binding: { verdict: 'match', action: 'none' },
      user: 'bob',
      cart: null,
    })
  })

  test('every mismatch is announced, with the handle only', async () => {
    const shop = await loggedIn()
    const { handle } = (await shop.store.info(shop.sid)) as { handle: string }
    await shop.look({ ip: AWAY })
    await shop.look({ ua: CURL })
    await shop.look({ ip: AWAY, ua: CURL })
    expect(shop.events.filter(([name]) => name === 'mismatch')).toEqual([
      ['mismatch', { handle, verdict: 'network', action: 'observe' }],
      ['mismatch', { handle, verdict: 'client', action: 'reauthenticate' }],
      ['mismatch', { handle, verdict: 'both', action: 'destroy' }],
    ])
    expect(shop.store.counters.mismatch).toBe(3)
  })

  test('a session that ended meanwhile is not brought back to be marked', async () => {
    const shop = await loggedIn({
      binding: {
        onMismatch: async () => {
          await client.del(shop.prefix + shop.sid)
          return 'reauthenticate' as const
        },
      },
    })
    await shop.look({ ua: CURL })
    expect(await client.keys(`${shop.prefix}*`)).toEqual([])
  })
})

describe('onMismatch', () => {
  test.each(['observe', 'reauthenticate', 'destroy'] as const)('%s is done at every mismatch', async (onMismatch) => {
    for (const from of [{ ip: AWAY }, { ua: CURL }, { ip: AWAY, ua: CURL }]) {
      const shop = await loggedIn({ binding: { onMismatch } })
      const seen = await shop.look(from)
      expect(seen.binding.action).toBe(onMismatch)
      expect(seen.user).toBe(onMismatch === 'destroy' ? null : 'ada')
      expect((await shop.hash())['@login'] === '0').toBe(onMismatch === 'reauthenticate')
    }
  })

  test('as a function learns verdict and session, and its answer is waited for', async () => {
    const asked: App[] = []
    const shop = await loggedIn({
      binding: {
        onMismatch: async ({ verdict, defaultAction, session: held, req }) => {
          await new Promise((resolve) => setImmediate(resolve))
          asked.push([verdict, defaultAction, held.userId, req.url])
          return verdict === 'network' ? 'destroy' : 'observe'
        },
      },
    })
    expect(await shop.look({ ua: CURL })).toMatchObject({
      binding: { verdict: 'client', action: 'observe' },
      user: 'ada',
    })
    expect(await shop.look({ ip: AWAY })).toMatchObject({
      binding: { verdict: 'network', action: 'destroy' },
      user: null,
    })
    expect(asked).toEqual([
      ['client', 'reauthenticate', 'ada', '/look'],
      ['network', 'observe', 'ada', '/look'],
    ])
  })

  test.each([
    ['throws', () => Promise.reject(new Error('no answer')), /no answer/],
    ['answers something else', () => 'ignore', /"onMismatch" must return/],
  ])('that %s fails the request before any handler sees the session', async (_name, onMismatch, message) => {
    const shop = await loggedIn({ binding: { onMismatch: onMismatch as never } })
    const answer = await shop.get('/look', { ua: CURL })
    expect(answer.status).toBe(500)
    expect(answer.text).toMatch(message)
    expect(await shop.look()).toMatchObject({ user: 'ada' })
  })
})

test('Redis failing fails the request: the session is neither kept nor shown', async () => {
  for (const [command, from] of [
    ['evalsha', { ua: CURL }],
    ['del', { ip: AWAY, ua: CURL }],
  ] as const) {
    const shop = await loggedIn()
    const user = `bind-${command}`
    await client.call('ACL', 'SETUSER', user, 'on', '>pw', '~*', '+@all', `-${command}`, '-eval')
    const limited = connect({ username: user, password: 'pw' })
    const app = express5()
    app.set('trust proxy', 1)
    app.use(
      session({
        store: new RedisStore({ client: limited, prefix: shop.prefix }),
        secret: 's',
        resave: false,
        saveUninitialized: false,
      }),
    )
    app.use(bindClient({ secret: 'key' }))
    app.use(routes)
    app.use((err: App, req: App, res: App, _next: unknown) => {
      res.statusCode = err.status
      res.end(String(req.session))
    })
    const server = createServer(app).listen(0)
    servers.push(server)
    const answer = await ask(server, '/look', shop.cookie, from)
    expect([answer.status, answer.text, answer.headers['set-cookie']]).toEqual([503, 'undefined', undefined])
    await limited.quit()
  }
})

describe('what Redis holds', () => {
  test('is no address and no User-Agent: not in keys, values or events, whatever happens', async () => {
    const shop = await loggedIn({}, { ip: HOME })
    await shop.get('/set?cart=6', { ip: '2001:db8:1:2::1' })
    await shop.look({ ip: AWAY })
    await shop.look({ ua: SAFARI_IPHONE })
    await shop.get('/password', { ua: SAFARI_IPHONE })
    const held = await shop.hash()
    const dump = JSON.stringify([await client.keys(`${shop.prefix}*`), held, shop.events]).toLowerCase()
    expect(Object.keys(held)).toEqual(expect.arrayContaining(['@ip4', '@ua', '@login']))
    for (const literal of [
      '203.0.113',
      'cb0071',
      '198.51.100',
      '2001:db8',
      'mozilla',
      'chrome',
      'safari',
      'iphone',
      'windows',
    ]) {
      expect([literal, dump.includes(literal)]).toEqual([literal, false])
    }
    // Only a whole word counts: ids are random, and may contain three such letters.
    expect(dump).not.toMatch(/\bios\b/)
    for (const [field, text] of Object.entries(held)) {
      if (field.startsWith('@')) expect(Buffer.byteLength(text)).toBeLessThan(64)
    }
  })

  test('differs from session to session of the same client, and cannot be recomputed without the secret', async () => {
    const [one, other] = [await (await loggedIn()).hash(), await (await loggedIn()).hash()]
    for (const field of ['@ip4', '@ua']) expect(one[field]).not.toBe(other[field])
    const shop = await loggedIn()
    const guessed = await site({ of: shop, binding: { secret: 'another' } })
    expect(verdictOf(await guessed.look())).toBe('both')
  })

  test.each([
    ['a plain cookie', {}],
    ['a cookie that is more than flags', { cookie: { priority: 'high' as const, path: '/' } }],
  ])('is nothing for visitors without a session, with %s', async (_name, options) => {
    const shop = await site({ session: options })
    const commands: CommandLog = await watchCommands(client, shop.prefix)
    for (const from of [{}, { ip: AWAY }, { ua: null }, { ip: 'unknown', ua: CURL }]) {
      const answer = await shop.get('/look', from)
      expect(JSON.parse(answer.text)).toMatchObject({ binding: { verdict: 'match', action: 'none' } })
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
    expect(await commands.take()).toEqual([])
    commands.stop()
  })

  test('costs a session that matches no command of its own', async () => {
    const shop = await loggedIn()
    // The first response with an unchanged session shows whether `session()` has `rolling`.
    await shop.look()
    const commands = await watchCommands(client, shop.prefix)
    await shop.look()
    expect((await commands.take()).map(([name]) => name?.toLowerCase())).toEqual(['hgetall'])
    commands.stop()
  })

  test('comes with the next save for a session from before bindClient', async () => {
    const shop = await loggedIn()
    await client.hdel(shop.prefix + shop.sid, '@ip4', '@ua')
    expect(verdictOf(await shop.look({ ip: AWAY, ua: CURL }))).toBe('match')
    expect(Object.keys(await shop.hash())).not.toContain('@ua')
    await shop.get('/set?cart=milk')
    expect(verdictOf(await shop.look({ ip: AWAY }))).toBe('network')
  })

  test('is kept of a session that connect-redis wrote from its first save on', async () => {
    const shop = await loggedIn()
    const text = JSON.stringify({
      cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' },
      userId: 'ada',
    })
    await client.set(shop.prefix + shop.sid, text, 'EX', 60)
    expect(verdictOf(await shop.look())).toBe('match')
    await shop.get('/set?cart=milk')
    expect(await shop.look({ ip: AWAY })).toMatchObject({ binding: { verdict: 'network' }, user: 'ada', cart: 'milk' })
  })
})

describe('a new session id', () => {
  test('after a login binds the session to the client that logged in', async () => {
    const shop = await site()
    await shop.get('/set?cart=tea')
    const anonymous = shop.sid
    await shop.get('/set?userId=ada')
    expect(shop.sid).not.toBe(anonymous)
    expect(await shop.hash()).toMatchObject({ '@ip4': expect.any(String), '@ua': expect.any(String) })
    expect(verdictOf(await shop.look())).toBe('match')
    expect(verdictOf(await shop.look({ ip: AWAY }))).toBe('network')
    // Ada's phone leaves the network, and she logs in again where it is.
    await shop.get('/set?userId=bob', { ip: AWAY })
    expect(verdictOf(await shop.look({ ip: AWAY }))).toBe('match')
  })

  test('without a login keeps the binding, and a stale login stays stale', async () => {
    const shop = await loggedIn()
    await shop.look({ ua: CURL })
    await shop.get('/privilege', { ua: CURL })
    expect(verdictOf(await shop.look({ ua: CURL }))).toBe('client')
    expect((await shop.get('/sensitive', { ua: CURL })).status).toBe(401)
    expect(verdictOf(await shop.look())).toBe('match')
  })

  test('that the application makes itself, as Passport does, has a binding too', async () => {
    const shop = await loggedIn()
    await shop.get('/regenerate', { ip: AWAY })
    expect(verdictOf(await shop.look({ ip: AWAY }))).toBe('match')
    expect(verdictOf(await shop.look())).toBe('network')
  })
})

describe('a replaced secret', () => {
  test('is accepted while it is in the list, and the binding moves to the new one when it is used', async () => {
    const old = await loggedIn({ binding: { secret: 'old' } })
    const both = await site({ of: old, binding: { secret: ['new', 'old'] } })
    expect(verdictOf(await both.look())).toBe('match')
    const only = await site({ of: old, binding: { secret: 'new' } })
    expect(verdictOf(await only.look())).toBe('match')
    expect(verdictOf(await only.look({ ip: AWAY }))).toBe('network')
    expect(await only.look({ ip: AWAY, ua: CURL })).toMatchObject({ binding: { verdict: 'both' } })
  })

  test('moves what matches also while something else does not, and never what does not', async () => {
    const old = await loggedIn({ binding: { secret: 'old' } })
    const both = await site({ of: old, binding: { secret: ['new', 'old'] } })
    expect(verdictOf(await both.look({ ip: AWAY }))).toBe('network')
    const only = await site({ of: old, binding: { secret: 'new' } })
    expect(verdictOf(await only.look({ ip: AWAY }))).toBe('network')
    expect(verdictOf(await both.look())).toBe('match')
  })

  test('does not leave the other address family behind', async () => {
    const old = await loggedIn({ binding: { secret: 'old' } })
    await old.get('/set?cart=6', { ip: '2001:db8:1:2::1' })
    await (await site({ of: old, binding: { secret: ['new', 'old'] } })).look()
    const only = await site({ of: old, binding: { secret: 'new' } })
    expect(verdictOf(await only.look({ ip: '2001:db8:1:2::1' }))).toBe('match')
  })
})

test('parallel requests that all store a binding announce no conflict', async () => {
  const old = await loggedIn({ binding: { secret: 'old' } })
  const both = await site({ of: old, binding: { secret: ['new', 'old'] } })
  await Promise.all(Array.from({ length: 8 }, () => both.look()))
  expect(both.events.filter(([name]) => name === 'conflict')).toEqual([])
})

describe.each<[string, () => App]>([
  ['Express 5', express5],
  ['Express 4', express4],
])('on %s', (_name, make) => {
  test('each verdict has its default action', async () => {
    const shop = await loggedIn({ app: make() })
    expect((await shop.look()).binding).toEqual({ verdict: 'match', action: 'none' })
    expect((await shop.look({ ip: AWAY })).binding).toEqual({ verdict: 'network', action: 'observe' })
    expect((await shop.look({ ua: CURL })).binding).toEqual({ verdict: 'client', action: 'reauthenticate' })
    expect(await shop.look({ ip: AWAY, ua: CURL })).toMatchObject({ binding: { action: 'destroy' }, user: null })
  })
})

describe('on Connect', () => {
  // Linux answers on all of 127.0.0.0/8; other systems have only 127.0.0.1.
  const onLinux = process.platform === 'linux' ? test : test.skip

  onLinux('the address is that of the peer, and X-Forwarded-For is not believed', async () => {
    const shop = await loggedIn({ app: connectFramework() })
    expect(shop.store.counters.warning).toBe(1)
    expect((await shop.look({ ip: AWAY, localAddress: '127.0.0.9' })).binding).toEqual({
      verdict: 'match',
      action: 'none',
    })
    expect((await shop.look({ localAddress: '127.0.1.1' })).binding).toEqual({ verdict: 'network', action: 'observe' })
    expect((await shop.look({ ua: CURL })).binding).toEqual({ verdict: 'client', action: 'reauthenticate' })
    const ended = await shop.look({ ua: CURL, localAddress: '127.0.1.1' })
    expect(ended).toEqual({ binding: { verdict: 'both', action: 'destroy' }, user: null, cart: null })
  })
})

test.each([
  [{}, /"secret" option/],
  [{ secret: '' }, /"secret" option/],
  [{ secret: [] }, /"secret" option/],
  [{ secret: ['a', ''] }, /"secret" option/],
  [{ secret: 's', ip: true }, /"ip" option/],
  [{ secret: 's', ip: { v4: 33 } }, /"ip\.v4" option/],
  [{ secret: 's', ip: { v6: 0 } }, /"ip\.v6" option/],
  [{ secret: 's', ip: { v5: 1 } }, /"ip" option has no "v5"/],
  [{ secret: 's', userAgent: true }, /"userAgent" option/],
  [{ secret: 's', onMismatch: 'logout' }, /"onMismatch" option/],
  [{ secret: 's', ip: false, userAgent: false }, /compare nothing/],
  [{ secret: 's', useragent: 'exact' }, /no option "useragent"/],
])('options %j throw a TypeError that names the option', (options, message) => {
  expect(() => bindClient(options as never)).toThrow(TypeError)
  expect(() => bindClient(options as never)).toThrow(message)
})
