import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore, secureSession } from 'connect-redis-hash'
import { RedisStore as ConnectRedis } from 'connect-redis10'
import express, { type RequestHandler } from 'express'
import session, { MemoryStore, type Store } from 'express-session'
import { createClient } from 'redis'
import { type Gate, gate } from '../support/gate.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { Browser } from '../support/reader.js'
import { connectValkey } from '../support/redis.js'

/** Runs what the table of the README, and of its own page, says of three stores, with default settings. */

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any

const OURS = 'connect-redis-hash'
const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
const PAGE = readFileSync('docs/comparison.md', 'utf8')
const [, fromTable = ''] = readFileSync('README.md', 'utf8').split('<!-- table: comparison -->\n')
const [table = ''] = fromTable.split('\n\n')
const [head = [], , ...rows] = table.split('\n').map((line) =>
  line
    .split('|')
    .slice(1, -1)
    .map((text) => text.trim()),
)

/** What the page says about one store. */
function cell(row: string, column: string): string | undefined {
  return rows.find(([name]) => name === row)?.[head.indexOf(column)]
}

let redis: PrivateRedis
let nodeRedis: ReturnType<typeof createClient>
const servers: http.Server[] = []

beforeAll(async () => {
  redis = await privateRedis()
  nodeRedis = createClient({ url: `unix://${redis.socketPath}` })
  nodeRedis.on('error', () => {})
  await nodeRedis.connect()
})
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await redis.admin.flushall()
})
afterAll(async () => {
  await nodeRedis.close()
  await redis.stop()
})

interface Site {
  url: string
  store: Store
  /** Holds requests to /slow. */
  gate: Gate
  browser(): Browser
}

const plain = (store: Store) => ({
  store,
  use: session({ store, secret: SECRET, resave: false, saveUninitialized: false }) as RequestHandler,
})
const CONTENDERS: Record<string, (options?: object) => { store: Store; use: RequestHandler }> = {
  [OURS]: (options = {}) => {
    const cookie = { secure: false }
    const sessions = secureSession({
      ...{ client: redis.connect(), secret: SECRET, cookie, user: (held: Bag) => held.userId },
      // This machine may be busy, and one test halts Redis for three seconds.
      timeout: 60_000,
      ...options,
    })
    return { store: sessions.store, use: sessions as RequestHandler }
  },
  'connect-redis 10': (options = {}) => plain(new ConnectRedis({ client: nodeRedis, ...options }) as Store),
  MemoryStore: () => plain(new MemoryStore()),
}
const ALL = Object.keys(CONTENDERS)
const IN_REDIS = ALL.slice(0, 2)

function serve(name: string, options?: object): Site {
  const { store, use } = (CONTENDERS[name] as (typeof CONTENDERS)[string])(options)
  const held = gate()
  const app = express().use(use)
  app.get('/slow/:name', async (req, res) => {
    await held.wait()
    ;(req.session as Bag)[req.params.name] = 1
    res.end()
  })
  app.get('/set/:name/:value', (req, res) => {
    ;(req.session as Bag)[req.params.name] = req.params.value
    res.redirect('/')
  })
  app.get('/logout', (req, res) => req.session.destroy(() => res.end()))
  app.get('/', (req, res) => res.json({ ...req.session, cookie: undefined }))
  const server = app.listen(0)
  servers.push(server)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, store, gate: held, browser: () => new Browser(url) }
}

async function read(browser: Browser): Promise<Bag> {
  return JSON.parse((await browser.send('GET', '/')).text)
}

test('the table has rows and the columns of the stores', () => {
  expect(rows.length).toBeGreaterThan(8)
  expect(head).toEqual(['', OURS, 'connect-redis 10', 'connect-mongo 6', 'MemoryStore'])
})

test('docs/comparison.md has the same table, and a section for each of its rows', () => {
  expect(PAGE).toContain(`\n\n${table}\n\n`)
  const sections = [...PAGE.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase())
  expect(sections).toEqual(expect.arrayContaining(rows.map(([name = '']) => name)))
})

test.each(ALL)('%s: two requests at once change different properties', async (name) => {
  const { browser, gate } = serve(name)
  const ada = browser()
  await ada.send('GET', '/set/userId/ada')
  const slow = ada.send('GET', '/slow/a')
  await gate.reached
  await ada.send('GET', '/set/b/2')
  gate.open()
  await slow
  const { a, b } = await read(ada)
  const outcome = a !== undefined && b !== undefined ? 'both are kept' : 'one is lost'
  expect(outcome).toBe(cell('two requests at once change different properties', name))
})

test.each(ALL)('%s: a slow request ends after the logout', async (name) => {
  const { browser, gate } = serve(name)
  const ada = browser()
  await ada.send('GET', '/set/userId/ada')
  const stolen = Object.assign(browser(), { cookie: ada.cookie })
  const slow = ada.send('GET', '/slow/a')
  await gate.reached
  await ada.send('GET', '/logout')
  gate.open()
  await slow
  const outcome = (await read(stolen)).userId === undefined ? 'stays logged out' : 'logged in again'
  expect(outcome).toBe(cell('a slow request ends after the user has logged out', name))
})

const PAUSE_MS = 3000

test.each(IN_REDIS)('%s: a redirect while Redis has not saved the session yet', async (name) => {
  const { url } = serve(name)
  const begun = performance.now()
  await redis.admin.call('CLIENT', 'PAUSE', PAUSE_MS)
  const request = http.get(`${url}/set/userId/ada`)
  await once(request, 'response')
  // Redis and this process round their clocks.
  const outcome = performance.now() - begun < PAUSE_MS - 10 ? 'yes' : 'no'
  expect(outcome).toBe(cell('a redirect can arrive before the session is saved', name))
  request.on('error', () => {}).destroy()
  await redis.admin.ping()
})

test('MemoryStore: a redirect finds the session saved', async () => {
  const { url, store } = serve('MemoryStore')
  const request = http.get(`${url}/set/userId/ada`)
  await once(request, 'response')
  const saved = Object.keys((store as Bag).sessions)
  expect(saved.length === 1 ? 'no' : 'yes').toBe(
    cell('a redirect can arrive before the session is saved', 'MemoryStore'),
  )
  request.on('error', () => {}).destroy()
})

test.each(ALL)('%s: commands for a request that only reads', async (name) => {
  const { browser } = serve(name)
  const ada = browser()
  await ada.send('GET', '/set/userId/ada')
  await ada.send('GET', '/')
  await redis.takeCalls()
  await ada.send('GET', '/')
  const sent = Object.values(await redis.takeCalls()).reduce((sum, calls) => sum + calls, 0)
  expect(sent === 0 ? 'none' : String(sent)).toBe(cell('commands for a request that only reads', name))
})

test.each(ALL)('%s: the session id at a login', async (name) => {
  const { browser } = serve(name)
  const ada = browser()
  await ada.send('GET', '/set/cart/tea')
  const planted = ada.cookie
  await ada.send('GET', '/set/userId/ada')
  const outcome = ada.cookie === planted ? 'your code' : 'by itself'
  expect(outcome).toBe(cell('a login changes the session id', name))
})

test.each(ALL)('%s: the sessions of one user', async (name) => {
  const { browser, store } = serve(name)
  const [here, there] = [browser(), browser()]
  for (const one of [here, there]) await one.send('GET', '/set/userId/ada')
  const outcome = 'destroyBy' in store ? 'by an index' : 'by loading all'
  if (store instanceof RedisStore) {
    await redis.takeCalls()
    expect(await store.destroyBy('user', 'ada')).toBe(2)
    expect(Object.keys(await redis.takeCalls())).not.toContain('scan')
  }
  expect(outcome).toBe(cell('find or end all sessions of one user', name))
})

test.each(IN_REDIS)('%s: idle and absolute timeout', async (name) => {
  const { browser } = serve(name, { ttl: 60, absoluteTimeout: 30 })
  await browser().send('GET', '/set/userId/ada')
  const [key = ''] = await redis.admin.keys('sess:*')
  const left = await redis.admin.pttl(key)
  const isAbsolute = left <= 30_000
  expect(left).toBeGreaterThan(0)
  expect(`yes; ${isAbsolute ? 'yes' : 'no'}`).toBe(cell('idle timeout; absolute timeout', name))
})

test.each(ALL)('%s: what the store holds of the id', async (name) => {
  const { browser, store } = serve(name)
  const ada = browser()
  await ada.send('GET', '/set/userId/ada')
  const id = decodeURIComponent(ada.cookie.split('=')[1] as string)
    .slice(2)
    .split('.')[0] as string
  const keys = IN_REDIS.includes(name) ? await redis.admin.keys('*') : Object.keys((store as Bag).sessions)
  expect(keys.length).toBeGreaterThan(0)
  const outcome = keys.some((key) => key.includes(id)) ? 'no' : 'yes'
  expect(outcome).toBe(cell('the store holds only digests of session ids', name))
})

test('while Redis hangs, a visitor of connect-redis waits, and one of this store has had an answer', async () => {
  const [ours, theirs] = IN_REDIS.map((name) => serve(name, { timeout: 1000 }).browser()) as [Browser, Browser]
  for (const one of [ours, theirs]) await one.send('GET', '/set/userId/ada')
  process.kill(redis.pid, 'SIGSTOP')
  let isAnswered = false
  const waiting = theirs.send('GET', '/').then(({ status }) => {
    isAnswered = true
    return status
  })
  const start = performance.now()
  const statuses = [(await ours.send('GET', '/')).status, (await ours.send('GET', '/')).status]
  const isStillWaiting = !isAnswered
  process.kill(redis.pid, 'SIGCONT')
  expect([statuses, isStillWaiting, await waiting]).toEqual([[503, 503], true, 200])
  expect(performance.now() - start).toBeGreaterThan(900)
  expect(cell('the database hangs', OURS)).toBe('503 after a second')
  expect(cell('the database hangs', 'connect-redis 10')).toBe('the visitor waits')
})

test('clients: this store works with all three, connect-redis with node-redis alone', async () => {
  expect(cell('clients', OURS)).toBe('ioredis, node-redis, iovalkey')
  expect(cell('clients', 'connect-redis 10')).toBe('node-redis')
  const valkey = connectValkey()
  const data = { cookie: { originalMaxAge: null }, userId: 'ada' } as never
  for (const client of [redis.connect(), nodeRedis, valkey]) {
    const store = new RedisStore({ client: client as never, prefix: 'clients:' })
    await store.set('a', data)
    expect(await store.get('a')).toMatchObject({ userId: 'ada' })
    await store.destroy('a')
  }
  await valkey.quit()
  const withIoredis = new ConnectRedis({ client: redis.connect() as never })
  await expect(withIoredis.set('a', data)).rejects.toThrow(/syntax error/)
})
