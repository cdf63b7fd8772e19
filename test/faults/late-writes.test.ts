import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { failureOf } from '../support/failure.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'

// A write that has timed out is not undone: it may reach Redis later, when the line or the server recovers.

type Bag = Record<string, unknown>

const STRING = '{"cookie":{"path":"/"},"value":1,"count":1}'

let redis: PrivateRedis
let line: BadLine
/** A store behind the bad line. */
let slow: RedisStore
/** A store in another process of the same application, with a good line. */
let other: RedisStore

function storeOn(path: string, options: Partial<RedisStoreOptions> = {}): RedisStore {
  return new RedisStore({ client: redis.connect({ path }), timeout: 1000, touchInterval: 0, ...options })
}

beforeAll(async () => {
  redis = await privateRedis()
  line = await badLineTo(redis.socketPath)
  slow = storeOn(line.path)
  other = storeOn(redis.socketPath, { timeout: 10_000 })
  await slow.ping()
})
afterAll(async () => {
  await line.close()
  await redis.stop()
})
beforeEach(() => redis.admin.flushall())
afterEach(() => line.release())

async function load(store: RedisStore, sid: string, changes: Bag = {}): Promise<Bag> {
  return Object.assign((await store.get(sid)) as object, changes)
}

type Write = (sid: string) => Promise<() => Promise<unknown>>

/** All writes there are, each prepared while the line is good. */
const writes: [name: string, prepare: Write][] = [
  ['save', (sid) => load(slow, sid, { value: 2 }).then((loaded) => () => slow.set(sid, loaded))],
  ['save that removes', (sid) => load(slow, sid, { value: undefined }).then((loaded) => () => slow.set(sid, loaded))],
  ['touch', (sid) => load(slow, sid).then((loaded) => () => slow.touch(sid, loaded))],
  [
    'touch of a changed cookie',
    (sid) => load(slow, sid, { cookie: { maxAge: 5000 } }).then((loaded) => () => slow.touch(sid, loaded)),
  ],
  ['patch', async (sid) => () => slow.patch(sid, { value: 2 })],
  ['increment', async (sid) => () => slow.increment(sid, 'count')],
]

/** Lets works time out on their way, and arrive later. */
async function late(works: (() => Promise<unknown>)[], meanwhile: () => Promise<unknown>): Promise<void> {
  line.hold()
  const failures = await Promise.all(works.map((work) => failureOf(work())))
  for (const failure of failures) expect(failure?.code).toBe('ERR_SESSION_TIMEOUT')
  await meanwhile()
  line.release()
  // One connection answers in order: after the first ping the late commands are done, after the second what followed
  // them.
  await slow.ping()
  await sleep(5)
  await slow.ping()
}

describe.each([
  ['a hash', (sid: string) => other.set(sid, { value: 1, count: 1 })],
  ["connect-redis's string", (sid: string) => redis.admin.set(`sess:${sid}`, STRING, 'EX', 1000)],
])('%s', (_name, make) => {
  test.each(writes)('%s that arrives late: no session is back, and no key without TTL', async (_name, prepare) => {
    const works: (() => Promise<unknown>)[] = []
    for (const sid of ['destroyed', 'expired', 'kept']) {
      await make(sid)
      works.push(await prepare(sid))
    }
    await redis.admin.pexpire('sess:expired', 20)
    await late(works, () => other.destroy('destroyed'))
    expect(await redis.admin.keys('*')).toEqual(['sess:kept'])
    expect(await redis.admin.pttl('sess:kept')).toBeGreaterThan(0)
    expect(await other.get('kept')).not.toBeNull()
  })
})

test.each(writes.slice(0, 4))(
  '%s that arrives late leaves a later session of the same id alone',
  async (_name, prepare) => {
    await other.set('sid', { value: 1, count: 1 })
    const write = await prepare('sid')
    let held: unknown
    await late([write], async () => {
      await other.destroy('sid')
      await other.set('sid', { value: 'new' })
      held = await redis.admin.hgetall('sess:sid')
    })
    expect(await redis.admin.hgetall('sess:sid')).toEqual(held)
  },
)

test('a first save that arrives late has a TTL', async () => {
  await late([() => slow.set('new-sid', { value: 1 })], async () => {})
  expect(await redis.admin.pttl('sess:new-sid')).toBeGreaterThan(0)
})

test('a first save whose script Redis does not know, and says so too late, is not sent a second time', async () => {
  await redis.admin.script('FLUSH')
  await late([() => slow.set('new-sid', { value: 1 })], () => other.destroy('new-sid'))
  expect(await redis.admin.keys('*')).toEqual([])
})

// A plain `new Redis()` sends commands again. The visitor has got the cookie with the first bytes of the response.
describe('a first save that is sent again, as its answer was lost with the connection', () => {
  async function sentAgain(options: Partial<RedisStoreOptions>, meanwhile: (ender: RedisStore) => Promise<unknown>) {
    const store = storeOn(line.path, { timeout: 5000, ...options })
    const ender = new RedisStore({ client: redis.admin, ...options })
    // From now on Redis knows the scripts.
    await store.set('warm', { value: 1 })
    line.mute()
    const saving = failureOf(store.set('new-sid', { value: 1 }))
    await until('it has been written', () => ender.exists('new-sid'))
    await meanwhile(ender)
    line.cut()
    line.release()
    const failure = await saving
    const isThere = await ender.exists('new-sid')
    await Promise.all([store.close(), ender.close()])
    return { failure, isThere }
  }

  test.each<[string, Partial<RedisStoreOptions>]>([
    ['', {}],
    [', with hashIds', { hashIds: true }],
    [', with onEnd', { onEnd: () => {} }],
  ])('does not bring back what was ended meanwhile, and fails%s', async (_name, options) => {
    const { failure, isThere } = await sentAgain(options, (ender) => ender.destroy('new-sid'))
    expect([failure?.code, isThere]).toEqual(['ERR_SESSION_UNAVAILABLE', false])
  })

  test('is no such save if it has waited for the connection, and not been sent before', async () => {
    const client = redis.connect({ path: line.path })
    const store = new RedisStore({ client, timeout: 5000 })
    await store.set('warm', { value: 1 } as never)
    line.lead('/nowhere')
    line.cut()
    let attempts = 0
    client.on('close', () => {
      attempts += 1
    })
    await once(client, 'reconnecting')
    const saving = failureOf(store.set('new-sid', { value: 1 } as never))
    await until('it has tried to connect', () => attempts > 2)
    line.lead(redis.socketPath)
    expect(await saving).toBeUndefined()
    expect(await other.get('new-sid')).toEqual({ value: 1 })
  })

  test('is kept if it is still there', async () => {
    expect(await sentAgain({}, async () => {})).toEqual({ failure: undefined, isThere: true })
  })
})

test('a destroy that arrives late ends the session all the same', async () => {
  await other.set('sid', { value: 1, count: 1 })
  await late([() => slow.destroy('sid')], async () => {})
  expect(await other.get('sid')).toBeNull()
})

test('after a save that timed out and arrived, the same object saves on, also back to the old value', async () => {
  await other.set('sid', { value: 1, count: 1 })
  const loaded = await load(slow, 'sid', { value: 2 })
  await late([() => slow.set('sid', loaded)], async () => {})
  loaded.value = 1
  await slow.set('sid', loaded)
  expect(await other.get('sid')).toEqual({ value: 1, count: 1 })
})

// Nobody can tell whether the write has arrived, so the same object has to write again what may be missing.
test.each([
  ['was lost', () => line.hold()],
  ['arrived, with the answer lost', () => line.mute()],
])('after a save that timed out and %s, the same object saves on', async (_name, fails) => {
  await other.set('sid', { value: 1, count: 1 })
  const client = redis.connect({ path: line.path, autoResendUnfulfilledCommands: false })
  const store = new RedisStore({ client, timeout: 1000 })
  const loaded = await load(store, 'sid', { value: 2, count: undefined })
  fails()
  expect((await failureOf(store.set('sid', loaded)))?.code).toBe('ERR_SESSION_TIMEOUT')
  line.cut()
  line.release()
  await new Promise((ready) => client.once('ready', ready))
  await store.set('sid', Object.assign(loaded, { value: 1, count: 1 }))
  expect(await other.get('sid')).toEqual({ value: 1, count: 1 })
})

test('a server that was stopped and goes on: whatever order it takes, what was destroyed stays destroyed', async () => {
  await other.set('sid', { value: 1, count: 1 })
  const saving = storeOn(redis.socketPath)
  const touching = storeOn(redis.socketPath)
  const patching = storeOn(redis.socketPath)
  const [changed, read] = [await load(saving, 'sid', { value: 2 }), await load(touching, 'sid')]
  await patching.ping()

  process.kill(redis.pid, 'SIGSTOP')
  const failures = await Promise.all([
    failureOf(saving.set('sid', changed)),
    failureOf(touching.touch('sid', read)),
    failureOf(patching.patch('sid', { value: 3 })),
    failureOf(patching.increment('sid', 'count')),
  ])
  const destroying = other.destroy('sid')
  process.kill(redis.pid, 'SIGCONT')
  await destroying
  for (const store of [saving, touching, patching]) await store.ping()

  for (const failure of failures) expect(failure?.code).toBe('ERR_SESSION_TIMEOUT')
  expect(await redis.admin.keys('*')).toEqual([])
})
