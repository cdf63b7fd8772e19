import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RedisStore, type RedisStoreOptions, type SessionEventName } from 'connect-redis-hash'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { everythingIn, expectNoSecrets } from '../support/failure.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { sessionApp } from '../support/session-app.js'
import { until } from '../support/until.js'

type Bag = Record<string, unknown>

const PREFIX = 'hush-prefix:'
const SECRETS = ['hush-', '4711-password']
/** Events that the store emits by itself; the others need middleware. */
const EVENTS: SessionEventName[] = [
  ...(['created', 'saved', 'destroyed', 'refused', 'conflict'] as const),
  ...(['corrupt', 'unavailable', 'available', 'warning'] as const),
]

interface Told {
  name: string
  payload: Bag
}

let redis: PrivateRedis
let line: BadLine
let stores: RedisStore[] = []
let emitted: Told[]
let published: Told[]
const listeners = EVENTS.map((name) => ({
  channel: `connect-redis-hash:${name}`,
  listener: (payload: unknown) => void published.push({ name, payload: payload as Bag }),
}))

function watch(options: Partial<RedisStoreOptions> = {}): RedisStore {
  const login = { username: 'app', password: '4711-password' }
  const client = redis.connect({ path: line.path, ...login })
  const store = new RedisStore({ client, prefix: PREFIX, touchInterval: 0, timeout: 1000, ...options })
  for (const name of EVENTS) store.on(name, (payload) => void emitted.push({ name, payload: payload as Bag }))
  stores.push(store)
  return store
}

beforeAll(async () => {
  redis = await privateRedis()
  line = await badLineTo(redis.socketPath)
  await redis.admin.call('ACL', 'SETUSER', 'app', 'on', '>4711-password', '~*', '+@all')
})
afterAll(async () => {
  await line.close()
  await redis.stop()
})
beforeEach(async () => {
  await redis.admin.flushall()
  stores = []
  emitted = []
  published = []
  for (const { channel, listener } of listeners) subscribe(channel, listener)
})
afterEach(async () => {
  for (const { channel, listener } of listeners) unsubscribe(channel, listener)
  await Promise.all(stores.map((store) => store.close()))
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapUsed(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** Makes every event happen, with secrets wherever there is room for one. */
async function provokeEverything(options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const store = watch(options)
  const session = { user: 'hush-user', count: 1 }

  await store.set('hush-sid', session)
  const first = (await store.get('hush-sid')) as unknown as Bag
  const second = (await store.get('hush-sid')) as unknown as Bag
  await store.set('hush-sid', Object.assign(first, { user: 'hush-first' }))
  await store.set('hush-sid', Object.assign(second, { user: 'hush-second' }))
  await store.patch('hush-sid', { user: 'hush-patched' })
  await store.increment('hush-sid', 'count')
  await store.destroy('hush-sid')
  await store.set('hush-sid', first)
  await store.touch('hush-sid', second)
  await store.patch('hush-sid', { user: 'hush-late' })
  await store.increment('hush-sid', 'count')

  await store.set('hush-expired', session)
  await store.set('hush-expired', { ...session, cookie: { expires: new Date(1).toISOString() } })

  await redis.admin.call('ACL', 'SETUSER', 'app', '-pexpire')
  await store.set('hush-warned', session)
  await redis.admin.call('ACL', 'SETUSER', 'app', '+pexpire')

  const [stored] = await redis.admin.keys(`${PREFIX}*`)
  await redis.admin.hset(stored as string, 'user', 'hush-not-JSON')
  await store.get('hush-warned')
  await redis.admin.hset(stored as string, '@', 'hush-bookkeeping')
  await store.get('hush-warned')
  await redis.admin
    .multi()
    .del(stored as string)
    .rpush(stored as string, 'hush-element')
    .exec()
  await store.get('hush-warned')

  line.hold()
  await store.get('hush-sid').catch(() => {})
  const back = once(store, 'available')
  line.release()
  await Promise.all([back, sleep(20).then(() => store.ping())])
  return store
}

describe.each([
  ['plain', {}],
  ['hashed', { hashIds: 'hush-secret' }],
])('with %s ids', (_name, options) => {
  test('every event happens, and none tells an id, a key, the prefix or data', async () => {
    const store = await provokeEverything(options)
    expect(new Set(emitted.map(({ name }) => name))).toEqual(new Set(EVENTS))
    const storedIds = (await redis.admin.keys(`${PREFIX}*`)).map((key) => key.slice(PREFIX.length))
    expect(storedIds).not.toEqual([])
    for (const { payload } of emitted) expectNoSecrets(payload, [...SECRETS, ...storedIds])
    expectNoSecrets(store.counters, SECRETS)
  })

  test('a handle is not accepted as a session id', async () => {
    const store = await provokeEverything(options)
    await store.set('hush-sid', { user: 'hush-user' })
    const info = await store.info('hush-sid')
    const { handle } = info as { handle: string }
    expect(handle).toMatch(/^[\w-]{22}$/)
    expectNoSecrets(info, SECRETS)
    expect(emitted.map(({ payload }) => payload.handle)).toContain(handle)
    expect(await store.get(handle)).toBeNull()
    expect(await store.exists(handle)).toBe(false)
    await store.destroy(handle)
    expect(await store.exists('hush-sid')).toBe(true)
  })
})

test('the diagnostics channels carry the very payloads of the events, in order', async () => {
  await provokeEverything()
  expect(published).toHaveLength(emitted.length)
  for (const [i, { name, payload }] of published.entries()) {
    expect(name).toBe(emitted[i]?.name)
    expect(payload).toBe(emitted[i]?.payload)
  }
})

test('the counters tell how often each event happened, one store apart from another', async () => {
  const store = await provokeEverything()
  const counted = Object.fromEntries(EVENTS.map((name) => [name, emitted.filter((one) => one.name === name).length]))
  expect(store.counters).toMatchObject(counted)
  expect(Object.values(counted).every((count) => count > 0)).toBe(true)
  expect(new Set(Object.values(watch().counters))).toEqual(new Set([0]))
})

test('what corrupt says: why, and at most the name of a property', async () => {
  await provokeEverything()
  expect(emitted.filter(({ name }) => name === 'corrupt').map(({ payload }) => payload)).toEqual([
    { handle: expect.any(String), reason: 'field', property: 'user' },
    { handle: expect.any(String), reason: 'bookkeeping' },
    { handle: expect.any(String), reason: 'type' },
  ])
})

test('operations that a hanging Redis never answered are forgotten once it goes on', async () => {
  const store = watch({ timeout: 1000 })
  const operate = (i: number) => store.set(`hush-${i}`, { value: `${i}`.padEnd(20_000, 'x') }).catch(() => {})
  await Promise.all(Array.from({ length: 100 }, (_, i) => operate(i)))
  const before = heapUsed()
  line.hold()
  await Promise.all(Array.from({ length: 1000 }, (_, i) => operate(i)))
  line.release()
  await once(store, 'available')
  await until('it clears', () => store.clear().then(() => true))
  // 20 MB were under way. On a busy machine the last answers are still coming in.
  let left = heapUsed() - before
  for (let turn = 0; turn < 50 && left >= 4_000_000; turn++) {
    await store.ping().catch(() => undefined)
    left = heapUsed() - before
  }
  expect(left).toBeLessThan(4_000_000)
})

test('the store itself shows no session when it is logged', async () => {
  const store = watch({ timeout: 5000 })
  await store.set('hush-sid', { user: 'hush-user' })
  await store.get('hush-sid')
  const shown = everythingIn(store)
  expect(shown).not.toContain('hush-sid')
  expect(shown).not.toContain('hush-user')
  expect(shown).not.toContain('4711-password')
})

test('the whole life of a session, through requests: no event and no error tells its id', async () => {
  const store = watch()
  const app = sessionApp(store)
  const setCookie = (await app.visit('/save/hush-value').expect(200)).headers['set-cookie']?.[0] as string
  const sid = /s%3A([^.]+)\./.exec(setCookie)?.[1] as string
  await app.visit('/put/hush-other', sid).expect(200)
  await app.visit('/logout', sid).expect(200)
  await app.visit('/login', sid).expect(200)
  expect(emitted.map(({ name }) => name)).toEqual(expect.arrayContaining(['created', 'saved', 'destroyed']))
  for (const { payload } of emitted) expectNoSecrets(payload, [...SECRETS, sid])
  expect(app.errors).toEqual([])
  app.close()
})
