import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { type RedisOptions as AllOptions, Redis } from 'ioredis'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { expectNoSecrets, type Failure, failureOf } from '../support/failure.js'
import { watchTimers } from '../support/live-timers.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { testSince } from '../support/server.js'
import { sessionApp } from '../support/session-app.js'
import { until } from '../support/until.js'

type RedisOptions = Omit<AllOptions, 'replyMapping'>
type Bag = Record<string, unknown>

const SECRETS = ['hush-', 'sess:']
const TIMEOUT_MS = 400
const PATIENT_MS = 10_000
/** A busy machine takes this much longer. */
const SLACK_MS = 1500

let redis: PrivateRedis
let line: BadLine
const clients: Redis[] = []
const stores: RedisStore[] = []

beforeAll(async () => {
  redis = await privateRedis()
  line = await badLineTo(redis.socketPath)
})
afterEach(async () => {
  // A store whose Redis is away goes on asking for it.
  for (const store of stores.splice(0)) await store.close()
  for (const client of clients.splice(0)) {
    // ioredis would connect again if a ready check fails after this, as one with a command timeout may.
    client.options.retryStrategy = () => null
    client.disconnect()
  }
})
afterAll(async () => {
  await line.close()
  await redis.stop()
})
beforeEach(() => redis.admin.flushall())

function connectTo(options: RedisOptions): Redis {
  const client = new Redis({ retryStrategy: () => 20, disconnectTimeout: 100, ...options })
  client.on('error', () => {})
  clients.push(client)
  return client
}

function storeOn(client: Redis, options: Partial<RedisStoreOptions> = {}): RedisStore {
  const store = new RedisStore({ client, timeout: TIMEOUT_MS, touchInterval: 0, ...options })
  stores.push(store)
  return store
}

/** Returns a store whose client is connected, however long that takes. */
async function connectedStoreOn(client: Redis, options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  await storeOn(client, { timeout: PATIENT_MS }).ping()
  return storeOn(client, options)
}

const operations = (store: RedisStore): Record<string, () => Promise<unknown>> => ({
  get: () => store.get('hush-sid'),
  read: () => store.read('hush-sid', ['value']),
  exists: () => store.exists('hush-sid'),
  set: () => store.set('hush-sid', { value: 'hush-value' }),
  touch: () => store.touch('hush-sid', { value: 'hush-value' }),
  patch: () => store.patch('hush-sid', { value: 'hush-value' }),
  increment: () => store.increment('hush-sid', 'hush-count'),
  destroy: () => store.destroy('hush-sid'),
  length: () => store.length(),
  all: () => store.all(),
  clear: () => store.clear(),
  ping: () => store.ping(),
})

/** Waits as long as a store does, and resolves how many milliseconds that takes while this machine is busy. */
async function timeoutHere(): Promise<number> {
  const start = performance.now()
  await sleep(TIMEOUT_MS)
  return performance.now() - start
}

async function failuresOf(store: RedisStore): Promise<Failure[]> {
  const works = Object.values(operations(store))
  const waiting = timeoutHere()
  const failures = (await Promise.all(works.map((work) => failureOf(work())))).filter((one) => one !== undefined)
  const timeoutMs = await waiting
  expect(failures).toHaveLength(works.length)
  for (const failure of failures) {
    expect(failure).toMatchObject({ status: 503, error: { name: 'SessionStoreError' } })
    expect(failure.ms).toBeLessThan(timeoutMs + SLACK_MS)
    expectNoSecrets(failure.error, SECRETS)
  }
  return failures
}

/** Expects neither a new session nor a cookie for a visitor whose session cannot be looked up. */
async function expectUnavailableApp(store: RedisStore, code: RegExp): Promise<void> {
  const app = sessionApp(store)
  const paths = ['/show', '/put/hush-value', '/save/hush-value', '/login', '/logout']
  const visits = paths.map((path) =>
    app.visit(path, 'hush-sid').then(({ status, body, headers }) => ({ path, status, body, headers })),
  )
  for (const { path, status, body, headers } of await Promise.all(visits)) {
    expect([path, status]).toEqual([path, 503])
    expect(body.code).toMatch(code)
    expect(headers['set-cookie']).toBeUndefined()
  }
  // A visitor without a session needs no Redis until there is something to save.
  const [visitor] = await Promise.all([app.visit('/show').expect(200), app.visit('/save/hush-value').expect(503)])
  expect(visitor.headers['set-cookie']).toBeUndefined()
  for (const err of app.errors) expectNoSecrets(err, SECRETS)
  app.close()
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0)
  await new Promise((listening) => server.once('listening', listening))
  const { port } = server.address() as { port: number }
  await new Promise((closed) => server.close(closed))
  return port
}

describe.each([
  ['the defaults', {}],
  ['one retry per command', { maxRetriesPerRequest: 1 }],
  ['no retry per command', { maxRetriesPerRequest: 0 }],
  ['no offline queue', { enableOfflineQueue: false }],
  ['no reconnecting', { retryStrategy: () => null }],
  ['a lazy connection', { lazyConnect: true }],
  ['a command timeout', { commandTimeout: 50 }],
] as [string, RedisOptions][])('an ioredis client with %s', (_name, options) => {
  test.each([
    ['a socket that does not exist', async () => ({ path: '/nowhere/hush-redis.sock' })],
    ['a port that nobody listens on', async () => ({ host: '127.0.0.1', port: await closedPort() })],
  ])(
    'and %s: 503 within the timeout, never the ENOENT that means "no session" to express-session',
    async (_, where) => {
      const store = storeOn(connectTo({ ...(await where()), ...options }))
      const failures = await failuresOf(store)
      expect([...new Set(failures.map(({ code }) => code))]).toEqual(['ERR_SESSION_UNAVAILABLE'])
      await expectUnavailableApp(store, /^ERR_SESSION_UNAVAILABLE$/)
    },
  )

  test('whose connection was closed for good: 503 at once', async () => {
    const client = connectTo({ path: redis.socketPath, ...options })
    const store = storeOn(client, { timeout: 5000 })
    // These clients give a first command no time to wait for the connection.
    if (options.enableOfflineQueue === false || options.commandTimeout !== undefined)
      await new Promise((ready) => client.once('ready', ready))
    await until('it is connected', async () => (await failureOf(store.ping())) === undefined)
    client.disconnect()
    await new Promise((end) => client.once('end', end))
    for (const { code } of await failuresOf(store)) expect(code).toBe('ERR_SESSION_UNAVAILABLE')
  })
})

describe('a Redis that hangs', () => {
  const freeze = () => process.kill(redis.pid, 'SIGSTOP')
  const thaw = () => process.kill(redis.pid, 'SIGCONT')
  afterEach(thaw)

  test('ends every operation at the timeout, says so once, and serves again when it goes on', async () => {
    const store = await connectedStoreOn(connectTo({ path: redis.socketPath }))
    freeze()
    for (const { code, ms } of await failuresOf(store)) {
      expect(code).toBe('ERR_SESSION_TIMEOUT')
      expect(ms).toBeGreaterThan(TIMEOUT_MS - 10)
    }
    expect(store.counters).toMatchObject({ unavailable: 1, available: 0 })
    thaw()
    await store.ping()
    expect(store.counters).toMatchObject({ unavailable: 1, available: 1 })
    await store.set('hush-sid', { value: 'hush-value' })
    expect(await store.get('hush-sid')).toEqual({ value: 'hush-value' })
  })

  test('is left alone once a probe has failed, too: requests fail at once, and it is noticed when it goes on', async () => {
    const client = connectTo({ path: redis.socketPath })
    const store = await connectedStoreOn(client)
    freeze()
    const look = () => failureOf(store.get('hush-sid'))
    let failure = await look()
    while (failure?.code === 'ERR_SESSION_TIMEOUT') failure = await look()
    const waiting = client.commandQueue.length
    const start = performance.now()
    for (let i = 0; i < 100; i++) expect(await look()).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
    // Requests that waited for the timeout would take longer.
    expect(performance.now() - start).toBeLessThan(10 * TIMEOUT_MS)
    expect(client.commandQueue.length).toBeLessThan(waiting + 20)
    const isBack = once(store, 'available')
    thaw()
    await isBack
    expect(await store.get('hush-sid')).toBeNull()
  })

  test('makes requests answer 503, and the session is there again afterwards', async () => {
    const store = await connectedStoreOn(connectTo({ path: redis.socketPath }))
    await store.set('hush-kept', { value: 'hush-value', cookie: {} })
    freeze()
    await expectUnavailableApp(store, /^ERR_SESSION_TIMEOUT$/)
    thaw()
    // Redis may still be busy with what has waited.
    await until('it answers', () => store.ping())
    const app = sessionApp(store)
    await app.visit('/show', 'hush-kept').expect(200, { hasSession: true, value: 'hush-value' })
    app.close()
  })

  test('leaves nothing behind in this process: no timer, no command in the queue', async () => {
    const client = connectTo({ path: redis.socketPath })
    const store = await connectedStoreOn(client)
    const timers = watchTimers()
    freeze()
    const waiting = timeoutHere()
    const failures = await Promise.all(Array.from({ length: 500 }, (_, i) => failureOf(store.get(`hush-${i}`))))
    expect(failures.every((failure) => failure?.code === 'ERR_SESSION_TIMEOUT')).toBe(true)
    expect(Math.max(...failures.map((failure) => failure?.ms ?? 0))).toBeLessThan((await waiting) + SLACK_MS)
    thaw()
    await store.ping()
    await store.close()
    expect(client.commandQueue.length).toBe(0)
    timers.stop()
    expect(timers.count).toBe(0)
  })

  test('does not end a walk over all sessions while each step of it is answered in time', async () => {
    const store = await connectedStoreOn(connectTo({ path: redis.socketPath }), { scanCount: 1 })
    for (let i = 0; i < 3; i++) await store.set(`hush-${i}`, { value: i })
    const seen: unknown[] = []
    const start = performance.now()
    for await (const { session } of store.scan()) {
      seen.push(session)
      await sleep(TIMEOUT_MS / 2)
    }
    expect(seen).toHaveLength(3)
    expect(performance.now() - start).toBeGreaterThan(TIMEOUT_MS)
  })
})

describe('a connection that breaks', () => {
  test.each([
    ['half open, silent', 'ERR_SESSION_TIMEOUT', () => {}],
    ['reset, with the command lost', 'ERR_SESSION_UNAVAILABLE', () => line.cut()],
  ])('%s: every operation fails in time', async (_name, code, happens) => {
    const client = connectTo({ path: line.path, autoResendUnfulfilledCommands: false })
    const store = storeOn(client)
    await until('it answers', () => store.ping())
    line.hold()
    const failing = failuresOf(store)
    await sleep(20)
    happens()
    for (const failure of await failing) expect(failure.code).toBe(code)
    line.cut()
    line.release()
    await new Promise((ready) => client.once('ready', ready))
    await until('it answers again', async () => (await store.get('hush-sid')) === null)
  })

  test('reset, with the command sent again by ioredis: the operation goes on as if nothing had been', async () => {
    const store = await connectedStoreOn(connectTo({ path: line.path }), { timeout: 2000 })
    await store.set('hush-sid', { value: 'hush-value', cookie: {} })
    const loaded = (await store.get('hush-sid')) as unknown as Bag
    loaded.value = 'hush-changed'
    line.hold()
    const saving = store.set('hush-sid', loaded)
    await sleep(20)
    line.cut()
    line.release()
    await saving
    expect(await store.get('hush-sid')).toMatchObject({ value: 'hush-changed' })
    expect(store.counters.unavailable).toBe(0)
  })

  // Redis before 6.2 cannot pause writes alone.
  testSince(6, 2).each([
    ['ioredis drops it: the save fails at the timeout', false],
    ['ioredis sends it again: the save goes on', true],
  ])('killed by Redis while a save is under way, and %s', async (_name, autoResendUnfulfilledCommands) => {
    const client = connectTo({ path: redis.socketPath, autoResendUnfulfilledCommands })
    const store = await connectedStoreOn(client, autoResendUnfulfilledCommands ? { timeout: 5000 } : {})
    await store.set('hush-sid', { value: 'hush-value', cookie: {} })
    const loaded = (await store.get('hush-sid')) as unknown as Bag
    loaded.value = 'hush-changed'
    await redis.admin.client('PAUSE', 5000, 'WRITE')
    const saving = failureOf(store.set('hush-sid', loaded))
    await sleep(20)
    const killed = new Promise((close) => client.once('close', close))
    await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await killed
    await redis.admin.client('UNPAUSE')
    const failure = await saving
    expect(failure?.code).toBe(autoResendUnfulfilledCommands ? undefined : 'ERR_SESSION_TIMEOUT')
    // The same object is saved again: nobody knew whether the first attempt had been written.
    await store.set('hush-sid', loaded)
    expect(await store.get('hush-sid')).toMatchObject({ value: 'hush-changed' })
    expect(await redis.admin.pttl('sess:hush-sid')).toBeGreaterThan(0)
  })
})
