import { createServer, type Server } from 'node:http'
import {
  bindClient,
  RedisStore,
  type RedisStoreOptions,
  renewSession,
  saveBeforeResponse,
  secureSession,
} from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { connectRedis } from '../contract/node-redis.js'
import { gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import { type App, HTTPS, options, SECRET, type Site, STYLES, setCookies, siteOf } from './site.js'

const client = connect()
let theirs: Awaited<ReturnType<typeof connectRedis>>
let prefix: string
const sites: { close(): void }[] = []
const OLD = 'keyboard cat'
const NAME = 'connect.sid'
const UNTIL = new Date(Date.now() + 86_400_000)

beforeAll(async () => {
  theirs = await connectRedis()
})
afterAll(() => Promise.all([client.quit(), theirs.close()]))
beforeEach(() => {
  prefix = freshPrefix()
})
afterEach(async () => {
  for (const made of sites.splice(0)) made.close()
  await new RedisStore({ client, prefix, timeout: 30_000 }).clear()
})

const middleware = (given: object = {}) =>
  secureSession(
    options({
      client,
      prefix,
      timeout: 30_000,
      bind: false,
      acceptFrom: { name: NAME, secret: ['an older one', OLD], until: UNTIL },
      ...given,
    }),
  )

async function open(given: object = {}, before: App[] = []): Promise<Site & { warnings: string[] }> {
  const sessions = middleware(given)
  const warnings: string[] = []
  sessions.store.on('warning', ({ code, message }) => warnings.push(`${code}: ${message}`))
  const made = await siteOf([...before, sessions])
  sites.push(made)
  return Object.assign(made, { warnings })
}

function closeLater(server: Server): void {
  sites.push({
    close() {
      server.closeAllConnections()
      server.close()
    },
  })
}

const cookieOf = (sid: string, secret = OLD) => `${NAME}=${encodeURIComponent(`s:${sign(sid, secret)}`)}`

/** A browser with a jar, as far as names and expiry go. */
class Jar {
  readonly cookies = new Map<string, string>()
  last: string[] = []
  readonly #site: { server: Site['server'] }

  constructor(site: { server: Site['server'] }, ...cookies: string[]) {
    this.#site = site
    for (const cookie of cookies) this.#take(cookie)
  }

  async get(path: string, headers: Record<string, string> = HTTPS): Promise<request.Response> {
    const sent = request(this.#site.server).get(path).set(headers)
    if (this.cookies.size > 0) sent.set('Cookie', [...this.cookies].map((pair) => pair.join('=')).join('; '))
    const response = await sent
    this.last = setCookies(response)
    for (const cookie of this.last) this.#take(cookie)
    return response
  }

  async look(): Promise<{ user: string | null; cart: string | null; id: string }> {
    return JSON.parse((await this.get('/show')).text)
  }

  get names(): string[] {
    return [...this.cookies.keys()].sort()
  }

  #take(cookie: string): void {
    const [pair = ''] = cookie.split(';')
    const [name = '', value = ''] = pair.split('=')
    if (/Expires=Thu, 01 Jan 1970/.test(cookie)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}

const cookie = (more: object = {}) => ({ originalMaxAge: null, expires: null, httpOnly: true, path: '/', ...more })
const oldStores: [string, () => { set(sid: string, data: never): Promise<unknown> }, object][] = [
  ['a string of connect-redis', () => theirs.store({ prefix }) as never, {}],
  ['a hash of this library', () => new RedisStore({ client, prefix, timeout: 30_000 }) as never, {}],
  [
    'a hash under a digest',
    () => new RedisStore({ client, prefix, hashIds: 'the old secret', timeout: 30_000 }) as never,
    { hashIds: 'the old secret' },
  ],
]

const acceptFrom = { name: NAME, secret: OLD, until: UNTIL }

describe.each(oldStores)('an old session that is %s', (_, makeStore, more) => {
  const make = (sid: string, data: object = {}, attributes = {}) =>
    makeStore().set(sid, { cookie: cookie(attributes), userId: 'ada', cart: 'milk', ...data } as never)
  const from = { acceptFrom: { ...acceptFrom, ...more } }

  test('goes on under a new id with the new cookie, and the old cookie ends', async () => {
    const site = await open(from)
    await make('old-id', {}, { path: '/', domain: 'example.com', secure: true })
    const jar = new Jar(site, cookieOf('old-id'))
    expect(await jar.look()).toMatchObject({ user: 'ada', cart: 'milk' })
    expect(jar.names).toEqual(['__Host-sid'])
    expect(jar.last).toContainEqual(
      `${NAME}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Domain=example.com; Secure`,
    )
    expect(jar.last.find((one) => one.startsWith('__Host-sid='))).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    expect(await client.keys(`${prefix}*old-id*`)).toEqual([])
    // The cookie keeps its new attributes, and one response is enough.
    expect(await jar.look()).toMatchObject({ user: 'ada', cart: 'milk' })
    await jar.get('/set?cart=eggs')
    expect(jar.last.join()).not.toMatch(/Domain|connect\.sid/)
    expect(await jar.look()).toMatchObject({ user: 'ada', cart: 'eggs' })
  })

  test('requests at once with the old cookie get one session, and none loses what it writes', async () => {
    const site = await open(from)
    await make('old-id')
    const jars = Array.from({ length: 8 }, () => new Jar(site, cookieOf('old-id')))
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    await Promise.all(jars.map((jar, i) => jar.get(`/set?${names[i]}=${i}`)))
    const [first] = jars as [Jar]
    expect(new Set(jars.map((jar) => jar.cookies.get('__Host-sid'))).size).toBe(1)
    const store = middleware(from).store
    const { id } = await first.look()
    expect(await store.read(id)).toMatchObject({
      userId: 'ada',
      a: '0',
      b: '1',
      c: '2',
      d: '3',
      e: '4',
      f: '5',
      g: '6',
      h: '7',
    })
    expect(site.errors).toEqual([])
    expect(await store.length()).toBe(1)
  })

  test('a lost response logs nobody out, and once the new cookie has come, the old one soon leads nowhere', async () => {
    const site = await open(from)
    await make('old-id')
    await new Jar(site, cookieOf('old-id')).get('/show')
    const jar = new Jar(site, cookieOf('old-id'))
    expect(await jar.look()).toMatchObject({ user: 'ada' })
    const { id } = await jar.look()
    // A request that was under way.
    expect(await new Jar(site, cookieOf('old-id')).look()).toMatchObject({ user: 'ada' })
    const [key] = (await client.keys(`${prefix}*`)).filter((one) => !one.startsWith('idx')) as [string]
    await client.hset(key, '@af', (Date.now() - 31_000).toString(36))
    const thief = new Jar(site, cookieOf('old-id'))
    expect(await thief.look()).toMatchObject({ user: null })
    expect(thief.names).toEqual([])
    expect(await jar.look()).toMatchObject({ user: 'ada', id })
  })

  test('keeps its time to live until the request prolongs it, and its user index', async () => {
    const sessions = middleware(from)
    await make('old-id')
    const site = await open(from)
    await new Jar(site, cookieOf('old-id')).get('/show')
    expect(await sessions.store.countBy('user', 'ada')).toBe(1)
    expect(await sessions.store.destroyBy('user', 'ada')).toBe(1)
    expect(await new Jar(site, cookieOf('old-id')).look()).toMatchObject({ user: null })
  })

  test('a login or logout in the same request: the old id leads nowhere, and neither does the new one', async () => {
    const site = await open(from)
    await make('old-id', { userId: undefined })
    const jar = new Jar(site, cookieOf('old-id'))
    await jar.get('/set?userId=bob')
    const { id } = await jar.look()
    expect(id).not.toMatch(/~a/)
    expect(await jar.look()).toMatchObject({ user: 'bob', cart: 'milk' })
    expect(await new Jar(site, cookieOf('old-id')).look()).toMatchObject({ user: null, cart: null })
    expect(jar.names).toEqual(['__Host-sid'])
  })

  test.each(Object.keys(STYLES))('the response carries both cookies: %s', async (style) => {
    const site = await open(from)
    await make('old-id')
    const jar = new Jar(site, cookieOf('old-id'))
    await jar.get(`/set?cart=eggs&style=${encodeURIComponent(style)}`)
    expect(jar.names).toEqual(['__Host-sid'])
    expect(await jar.look()).toMatchObject({ user: 'ada', cart: 'eggs' })
  })

  test('sessions.load finds it, and moves it', async () => {
    const sessions = middleware(from)
    await make('old-id')
    const headers = { cookie: cookieOf('old-id') }
    const req = { headers, socket: { encrypted: true }, url: '/', method: 'GET' } as never
    expect(await sessions.load(req)).toMatchObject({ userId: 'ada' })
    expect(headers).toEqual({ cookie: cookieOf('old-id') })
    expect(await new Jar(await open(from), cookieOf('old-id')).look()).toMatchObject({ user: 'ada' })
  })
})

const fill = (sid = 'old-id', data: object = {}) =>
  theirs.store({ prefix }).set(sid, { cookie: cookie(), userId: 'ada', ...data } as never)

test('an old cookie that is forged, or none of ours, is neither followed nor ended', async () => {
  const site = await open()
  await fill()
  const long = 'x'.repeat(3000)
  for (const bad of [
    cookieOf('old-id', 'another secret'),
    `${NAME}=old-id`,
    `${NAME}=s%3Aold-id`,
    `${NAME}=`,
    `${NAME}=${long}`,
  ]) {
    const jar = new Jar(site, bad)
    expect(await jar.look()).toMatchObject({ user: null })
    expect(jar.last).toEqual([])
  }
  // Signed, but no id.
  for (const sid of ['*', 'a b', '__proto__', '{x}', 'x'.repeat(600)]) {
    expect(await new Jar(site, cookieOf(sid)).look()).toMatchObject({ user: null })
  }
  expect(site.errors).toEqual([])
  expect(await client.exists(`${prefix}old-id`)).toBe(1)
})

test('with both cookies, the new one counts if its session is there, and the old one ends', async () => {
  const site = await open()
  const jar = new Jar(site)
  await jar.get('/set?userId=bob')
  await fill()
  jar.cookies.set(NAME, cookieOf('old-id').split('=')[1] as string)
  expect(await jar.look()).toMatchObject({ user: 'bob' })
  expect(jar.names).toEqual(['__Host-sid'])
  // After a roll-back: the new session has ended meanwhile.
  await middleware().store.clear()
  await fill()
  jar.cookies.set(NAME, cookieOf('old-id').split('=')[1] as string)
  expect(await jar.look()).toMatchObject({ user: 'ada' })
  expect(jar.names).toEqual(['__Host-sid'])
})

test('an old cookie whose session is gone ends, and its visitor is nobody', async () => {
  const site = await open()
  const jar = new Jar(site, cookieOf('gone'))
  expect(await jar.look()).toMatchObject({ user: null })
  expect(jar.names).toEqual([])
})

test('after `until`, the old cookie is not accepted, and a warning says that the option can go', async () => {
  const site = await open({ acceptFrom: { ...acceptFrom, until: '2020-01-01' } })
  await fill()
  expect(await new Jar(site, cookieOf('old-id')).look()).toMatchObject({ user: null })
  expect(await client.exists(`${prefix}old-id`)).toBe(1)
  expect(site.warnings).toEqual([
    expect.stringMatching(/^old-cookie-accepted: .*until 2020-01-01T.*: that is over, so take it out$/),
  ])
})

test('a warning says what it weakens, and until when', async () => {
  const site = await open()
  await new Promise(setImmediate)
  expect(site.warnings).toEqual([expect.stringContaining(`until ${UNTIL.toISOString()}`)])
})

test('over plain HTTP, where the new cookie cannot be sent, the old one is left alone', async () => {
  const site = await open()
  await fill()
  const jar = new Jar(site, cookieOf('old-id'))
  await jar.get('/show', {})
  expect(jar.names).toEqual([NAME])
  expect(await client.exists(`${prefix}old-id`)).toBe(1)
  expect(await jar.look()).toMatchObject({ user: 'ada' })
})

test('while Redis fails, it is an error, no new session', async () => {
  const dead = connect({ maxRetriesPerRequest: 0, lazyConnect: true, enableOfflineQueue: false })
  dead.on('error', () => undefined)
  const site = await open({ client: dead })
  const jar = new Jar(site, cookieOf('old-id'))
  expect((await jar.get('/show')).status).toBe(503)
  expect(jar.names).toEqual([NAME])
  dead.disconnect()
})

test('an id that renewSession has replaced long ago leads nowhere, the current one does', async () => {
  const store = new RedisStore({ client, prefix, timeout: 30_000 })
  const app = express()
  app.use(
    session({ store, secret: OLD, resave: false, saveUninitialized: false }),
    renewSession({ every: 0, grace: 0 }),
    saveBeforeResponse(),
  )
  app.get('/set', (req, res) => {
    Object.assign(req.session, req.query)
    res.end()
  })
  const server = createServer(app).listen(0).unref()
  closeLater(server)
  const jar = new Jar({ server })
  const ids: string[] = []
  for (let i = 0; i < 4; i++) {
    await jar.get(`/set?userId=ada&i=${i}`)
    ids.push(`${NAME}=${jar.cookies.get(NAME)}`)
  }
  const site = await open()
  expect(await new Jar(site, ids[0] as string).look()).toMatchObject({ user: null })
  const visitor = new Jar(site, ids.at(-1) as string)
  expect(await visitor.look()).toMatchObject({ user: 'ada' })
  expect(await new Jar(site, ids[0] as string).look()).toMatchObject({ user: null })
  await visitor.get('/set?cart=milk')
  expect(await visitor.look()).toMatchObject({ user: 'ada', cart: 'milk' })
})

test('what bindClient has noted under another secret ends no session', async () => {
  const store = new RedisStore({ client, prefix, timeout: 30_000 })
  const app = express()
  app.use(
    session({ store, secret: OLD, resave: false, saveUninitialized: false }),
    bindClient({ secret: 'another secret, which is long' }),
  )
  app.get('/set', (req, res) => {
    Object.assign(req.session, req.query)
    res.end()
  })
  const server = createServer(app).listen(0).unref()
  closeLater(server)
  const jar = new Jar({ server })
  await jar.get('/set?userId=ada')
  expect(await client.hkeys((await client.keys(`${prefix}*`))[0] as string)).toContain('@ua')
  const site = await open({ bind: {} })
  const old = `${NAME}=${jar.cookies.get(NAME)}`
  const jars = [new Jar(site, old), new Jar(site, old)]
  for (const found of await Promise.all(jars.map((one) => one.look()))) expect(found).toMatchObject({ user: 'ada' })
  expect(await (jars[0] as Jar).look()).toMatchObject({ user: 'ada' })
})

test('a digest that Redis holds is no id, however it is signed', async () => {
  const site = await open()
  const victim = new Jar(site)
  await victim.get('/set?userId=bob')
  const [key = ''] = (await client.keys(`${prefix}*`)).filter((one) => !one.startsWith('idx'))
  const thief = new Jar(site, cookieOf(key.slice(prefix.length)))
  expect(await thief.look()).toMatchObject({ user: null })
  expect(await victim.look()).toMatchObject({ user: 'bob' })
})

test.each([
  ['~rids-of-the-application-1', '~rids-of-the-application-2'],
  ['tenant~region1:aaaaaaaa', 'tenant~region2:bbbbbbbb'],
])('ids of the application that look like renewed ones lead to sessions of their own: %s', async (mine, other) => {
  await client.set(`${prefix}${other}`, JSON.stringify({ cookie: { path: '/' }, userId: 'bob' }), 'EX', 600)
  const site = await open()
  expect(await new Jar(site, cookieOf(other)).look()).toMatchObject({ user: 'bob' })
  expect(await new Jar(site, cookieOf(mine)).look()).toMatchObject({ user: null })
})

test('a slow response with the old cookie does not undo the login of another tab', async () => {
  const held = gate()
  const slow: App = (req: App, _res: App, next: () => void) => {
    if (req.url !== '/slow') return next()
    req.url = '/set?cart=late'
    held.wait().then(next, next)
  }
  const sessions = middleware()
  const site = await siteOf([sessions, slow])
  sites.push(site)
  await fill('old-id', { userId: undefined })
  const late = new Jar(site, cookieOf('old-id'))
  const answering = late.get('/slow')
  await held.reached
  const jar = new Jar(site, cookieOf('old-id'))
  await jar.get('/set?userId=ada')
  held.open()
  await answering
  expect(late.cookies.has('__Host-sid')).toBe(false)
  expect(await jar.look()).toMatchObject({ user: 'ada' })
})

test('while the secret is replaced, requests at servers with different lists find one session', async () => {
  const NEXT = 'P0lWq9ZxT4vYb7NcR2mKf5JhD8sGa3Eu'
  const [before, after] = [await open(), await open({ secret: [NEXT, SECRET] })]
  await fill()
  await new Jar(before, cookieOf('old-id')).get('/show')
  expect(await new Jar(after, cookieOf('old-id')).look()).toMatchObject({ user: 'ada' })
})

test.each<[object, RegExp]>([
  [{ secret: OLD, until: UNTIL }, /"acceptFrom.name"/],
  [{ name: '__Host-sid', secret: OLD, until: UNTIL }, /another name/],
  [{ name: NAME, until: UNTIL }, /"acceptFrom.secret"/],
  [{ name: NAME, secret: OLD }, /"acceptFrom.until"/],
  [{ name: NAME, secret: OLD, until: 'soon' }, /"acceptFrom.until"/],
  [{ name: NAME, secret: OLD, until: '2999-01-01' }, /at most a year/],
  [{ name: NAME, secret: OLD, until: UNTIL, unless: 1 }, /no option "unless"/],
])('acceptFrom: %j is a TypeError that names the option', (given, message) => {
  const make = () => middleware({ acceptFrom: given } as Partial<RedisStoreOptions>)
  expect(make).toThrow(TypeError)
  expect(make).toThrow(message)
})
