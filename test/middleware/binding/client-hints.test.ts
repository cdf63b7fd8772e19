import { createServer, type Server } from 'node:http'
import { bindClient, RedisStore, requireFreshLogin, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { brandOf, hintsOf } from '../../../src/middleware/binding/client-hints.js'
import { clientLabel } from '../../../src/middleware/binding/client-label.js'
import { FIREFOX } from '../../session-router/site.js'
import { connect, freshPrefix } from '../../support/redis.js'
import { CHROME } from './user-agents.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix, indexes: { user: (held: Bag) => held.userId } })
store.setMaxListeners(0)
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  store.removeAllListeners('mismatch')
  await store.clear()
})
afterAll(() => client.quit())

const hints = (...brands: string[]) => ({
  'Sec-CH-UA': [...brands, 'Chromium', 'Not=A?Brand'].map((brand) => `"${brand}";v="150"`).join(', '),
  'Sec-CH-UA-Mobile': '?0',
  'Sec-CH-UA-Platform': '"Windows"',
})
const BROWSER = { 'User-Agent': CHROME, 'Sec-Fetch-Site': 'same-origin', ...hints('Google Chrome') }
const lower = (headers: object) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

function site(options: object = {}): Server {
  const app = express().set('trust proxy', 1)
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(bindClient({ secret: 'b', ...options }))
  app.use(rotateOnLogin())
  app.get('/login', (req, res) => {
    ;(req.session as Bag).userId = 'ada'
    res.end()
  })
  app.get('/me', (req, res) => void res.json({ user: (req.session as Bag).userId ?? null, ...req.sessionBinding }))
  app.get('/pay', requireFreshLogin({ within: 60 }), (_req, res) => void res.end('paid'))
  const server = createServer(app).listen(0).unref()
  servers.push(server)
  return server
}

async function loggedIn(server: Server, headers: object = BROWSER): Promise<string> {
  const response = await request(server)
    .get('/login')
    .set({ 'X-Forwarded-Proto': 'https', ...headers })
  return (response.headers['set-cookie'] as unknown as string[])[0]?.split(';')[0] as string
}

const me = async (server: Server, cookie: string, headers: object) =>
  (
    await request(server)
      .get('/me')
      .set({ 'X-Forwarded-Proto': 'https', Cookie: cookie, ...headers })
  ).body

const without = (headers: object, ...names: string[]) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.some((one) => name.startsWith(one))))

describe('client hints', () => {
  test('are compared without versions, and without the brand that browsers invent', () => {
    const text = (header: string) => hintsOf({ 'sec-ch-ua': header, 'sec-ch-ua-platform': '"Linux"' })?.value
    const expected = text('"Chromium";v="150", "Brave";v="150"')
    for (const invented of [
      'Not A;Brand',
      ' Not;A Brand',
      'Not/A)Brand',
      'Not_A Brand',
      'Not(A:Brand',
      'Not=A?Brand',
    ]) {
      expect(text(`"${invented}";v="8", "Brave";v="151.0", "Chromium";v="151"`)).toBe(expected)
    }
    expect(text('"Chromium";v="150", "Google Chrome";v="150"')).not.toBe(expected)
  })

  test.each([undefined, '', 'Chrome', '"', '""', '"Chrome"', `"${'x'.repeat(600)}";v="1"`, '"Not A;Brand";v="8"'])(
    'that say %j are none',
    (header) => {
      expect(hintsOf({ 'sec-ch-ua': header })).toBeNull()
    },
  )
})

describe('a label', () => {
  test.each([
    ['Brave', 'Brave on Windows'],
    ['Vivaldi', 'Vivaldi on Windows'],
    ['Google Chrome', 'Chrome on Windows'],
    ['<b>My bank</b>', 'Chrome on Windows'],
    ['constructor', 'Chrome on Windows'],
  ])('of the brand %s is %s', (brand, label) => {
    expect(clientLabel(CHROME, brandOf(lower(hints(brand))))).toBe(label)
  })

  test('of another browser than Chrome is that of its User-Agent', () => {
    expect(clientLabel(FIREFOX, 'Brave')).toBe('Firefox on Linux')
  })

  test('is stored with the session', async () => {
    await loggedIn(site({ label: true }), { ...BROWSER, ...hints('Brave') })
    expect((await store.findBy('user', 'ada')).map(({ client: label }) => label)).toEqual(['Brave on Windows'])
  })
})

describe('the client of a session', () => {
  test('with the hints that it began with matches; they are stored as a digest', async () => {
    const server = site()
    const cookie = await loggedIn(server)
    expect(await me(server, cookie, BROWSER)).toEqual({ user: 'ada', verdict: 'match', action: 'none' })
    const [id = ''] = await store.ids()
    const field = (await client.hget(prefix + id, '@ch')) ?? ''
    expect(field).toMatch(/^hints [\w-]{12} [\w-]{22}$/)
    expect(field.length).toBeLessThan(64)
  })

  test.each([
    ['another brand', { ...BROWSER, ...hints('Brave') }],
    ['another system', { ...BROWSER, 'Sec-CH-UA-Platform': '"Linux"' }],
    ['no hints and no Fetch Metadata: not a browser', { 'User-Agent': CHROME }],
  ])('with %s has a stale login, and keeps its session', async (_what, headers) => {
    const server = site()
    const cookie = await loggedIn(server)
    expect(await me(server, cookie, headers)).toEqual({ user: 'ada', verdict: 'client', action: 'reauthenticate' })
    const pay = await request(server)
      .get('/pay')
      .set({ 'X-Forwarded-Proto': 'https', Cookie: cookie, ...BROWSER })
    expect(pay.status).toBe(401)
  })

  test('that calls itself Firefox and sends hints has a stale login', async () => {
    const server = site()
    const cookie = await loggedIn(server, { 'User-Agent': FIREFOX })
    expect(await me(server, cookie, { 'User-Agent': FIREFOX })).toMatchObject({ verdict: 'match' })
    expect(await me(server, cookie, { ...BROWSER, 'User-Agent': FIREFOX })).toMatchObject({ verdict: 'client' })
  })

  test.each([
    ['over plain HTTP', { 'User-Agent': CHROME, 'X-Forwarded-Proto': 'http' }],
    ['on the browser’s own behalf', { 'User-Agent': CHROME, 'Sec-Fetch-Site': 'none' }],
    ['to open a socket', { 'User-Agent': CHROME, Upgrade: 'websocket' }],
  ])('may come without hints %s', async (_what, headers) => {
    const server = site()
    const cookie = await loggedIn(server)
    expect(await me(server, cookie, headers)).toMatchObject({ user: 'ada', verdict: 'match' })
  })

  test('of a session from before learns its hints', async () => {
    const server = site()
    const cookie = await loggedIn(server, { 'User-Agent': CHROME, 'X-Forwarded-Proto': 'http' })
    expect(await me(server, cookie, BROWSER)).toMatchObject({ verdict: 'match' })
  })

  test('is not asked for hints with userAgent: false', async () => {
    const server = site({ userAgent: false })
    const cookie = await loggedIn(server)
    expect(await me(server, cookie, { ...BROWSER, ...hints('Brave') })).toMatchObject({ verdict: 'match' })
    expect(await client.hexists(prefix + (await store.ids())[0], '@ch')).toBe(0)
  })

  test.each<[string, object]>([
    ["'destroy'", { onMismatch: 'destroy' }],
    ['a function', { onMismatch: () => 'destroy' }],
  ])('is not logged out for hints alone, with onMismatch %s', async (_what, options) => {
    const server = site(options)
    const cookie = await loggedIn(server)
    const told: unknown[] = []
    store.on('mismatch', ({ verdict, action }) => void told.push([verdict, action]))
    expect(await me(server, cookie, { ...BROWSER, ...hints('Brave') })).toMatchObject({ user: 'ada' })
    expect(told).toEqual([['client', 'reauthenticate']])
  })

  const elsewhere = { 'X-Forwarded-For': '203.0.113.9' }

  test('with other hints in another network has a stale login; with another User-Agent, too, it ends', async () => {
    const server = site()
    const cookie = await loggedIn(server)
    expect(await me(server, cookie, { ...BROWSER, ...elsewhere })).toMatchObject({ verdict: 'network' })
    expect(await me(server, cookie, { ...BROWSER, ...hints('Brave'), ...elsewhere })).toMatchObject({
      user: 'ada',
      verdict: 'client',
    })
    expect(await me(server, cookie, { 'User-Agent': FIREFOX, ...elsewhere })).toMatchObject({
      user: null,
      verdict: 'both',
    })
  })

  test('in another network ends where the application wants that, whatever its hints', async () => {
    const server = site({ onMismatch: 'destroy' })
    const cookie = await loggedIn(server)
    expect(await me(server, cookie, { ...BROWSER, ...hints('Brave'), ...elsewhere })).toMatchObject({ user: null })
  })

  test('binds anew with a login', async () => {
    const server = site()
    await loggedIn(server)
    const cookie = await loggedIn(server, { ...BROWSER, ...hints('Brave') })
    expect(await me(server, cookie, { ...without(BROWSER, 'Sec-CH'), ...hints('Brave') })).toMatchObject({
      verdict: 'match',
    })
  })
})
