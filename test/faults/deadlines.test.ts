import { RedisStore, type RedisStoreOptions, type SessionContent } from 'connect-redis-hash'
import { type Command, Redis } from 'ioredis'
import { END } from '../../src/redis/scripts/end.js'
import { type GuardedLine, guardedLineTo } from '../support/guarded-line.js'
import { makeMany } from '../support/many-sessions.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { unlessStalled } from '../support/unless-stalled.js'

const prefix = 'sess:'
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const COUNT = 220

/** Tells for a command whether it has to wait for the gate; every later command then waits behind it. */
let isHeld = (_name: string): boolean => false
/** How long each command is under way; commands go one after the other. */
let delayMs = 0
let open = () => {}
let redis: PrivateRedis
let client: Redis
let line: GuardedLine
let far: Redis
/** Commands that have left the process, in order. */
let sent: string[] = []

function nameOf(args: readonly unknown[]): string {
  return args.includes(END.sha) || args.includes(END.lua) ? 'end' : String(args[0]).toLowerCase()
}

beforeAll(async () => {
  // A server of its own: among the keys of other tests, SCAN would take more pages.
  redis = await privateRedis()
  client = redis.admin
  let gate: Promise<void> | undefined
  line = await guardedLineTo(redis.socketPath, {
    admit(args) {
      if (delayMs > 0) return new Promise((resolve) => setTimeout(resolve, delayMs))
      if (!isHeld(nameOf(args))) return undefined
      gate ??= new Promise((resolve) => {
        open = () => {
          gate = undefined
          resolve()
        }
      })
      return gate
    },
  })
  far = new Redis(line.path)
  const send = far.sendCommand.bind(far)
  far.sendCommand = (command: Command, ...more) => {
    sent.push(nameOf([command.name, ...command.args]))
    return send(command, ...more)
  }
})
beforeEach(() => makeMany(client, prefix, 'ada', COUNT))
afterEach(async () => {
  isHeld = () => false
  delayMs = 0
  open()
  await client.flushall()
})
afterAll(async () => {
  far.disconnect()
  await line.close()
  await redis.stop()
})

function storeWith(options: Partial<RedisStoreOptions> = {}): RedisStore {
  const indexes = { user: (held: SessionContent) => held.userId }
  return new RedisStore({ client: far, prefix, indexes, timeout: 1200, ...options })
}

const OPERATIONS: [string, Partial<RedisStoreOptions>, string, number, (store: RedisStore) => Promise<unknown>][] = [
  ['findBy', {}, 'hmget', 60, (store) => store.findBy('user', 'ada', { limit: 1000 })],
  ['stats', { scanCount: 1000 }, 'hmget', 5, (store) => store.stats()],
  ['stats, at its second command for each', { scanCount: 1000 }, 'memory', 5, (store) => store.stats()],
  ['all', { scanCount: 1000 }, 'hgetall', 5, (store) => store.all()],
  ['destroyBy', {}, 'end', 60, (store) => store.destroyBy('user', 'ada')],
  ['clear', { scanCount: 1000 }, 'end', 5, (store) => store.clear()],
  [
    'a login that makes room',
    { limit: { index: 'user', max: 2, onExceed: 'evict' } },
    'end',
    60,
    (store) => store.set('new', { cookie, userId: 'ada' } as never),
  ],
  [
    'a login that is refused',
    { limit: { index: 'user', max: 200, onExceed: 'reject' } },
    'hmget',
    60,
    (store) => store.set('new', { cookie, userId: 'ada' } as never),
  ],
]

describe.each(OPERATIONS)('%s, which has had answers and passes its deadline', (_name, options, command, nth, work) => {
  test('sends nothing more, where it writes only what completes its batch', async () => {
    const store = storeWith(options)
    let count = 0
    isHeld = (name) => name === command && ++count === nth
    await expect(work(store)).rejects.toMatchObject({ code: 'ERR_SESSION_TIMEOUT', status: 503 })
    sent = []
    open()
    // Answers come in order: a ping is answered after all that was under way, and what that led to is sent before the
    // next ping.
    for (let i = 0; i < 3; i++) await store.ping()
    const late = sent.filter((name) => name !== 'ping')
    if (command !== 'end') expect(late).toEqual([])
    expect(late).not.toContain('end')
    expect(late.length).toBeLessThanOrEqual(COUNT)
    await store.get('many0')
    await store.close()
  })
})

test('an operation with too many commands, each of which is answered, is no outage', async () => {
  await unlessStalled(300, async () => {
    const store = storeWith({ timeout: 3000 })
    await store.ping()
    // Each batch of 50 takes a quarter of the timeout, and all batches together more than the timeout.
    delayMs = 15
    await expect(store.findBy('user', 'ada', { limit: 1000 })).rejects.toMatchObject({ code: 'ERR_SESSION_TIMEOUT' })
    expect(store.counters.unavailable).toBe(0)
    await store.close()
  })
})

test('an operation whose only command is not answered is an outage', async () => {
  const store = storeWith({ timeout: 1000 })
  await store.ping()
  isHeld = () => true
  await expect(store.countBy('user', 'ada')).rejects.toMatchObject({ code: 'ERR_SESSION_TIMEOUT' })
  expect(store.counters.unavailable).toBe(1)
  await store.close()
})

test('an operation that had answers is an outage where Redis does not answer a probe either', async () => {
  const store = storeWith({ timeout: 200 })
  const unavailable = new Promise((resolve) => {
    store.once('unavailable', resolve)
  })
  isHeld = (name) => name !== 'zrange'
  await expect(store.findBy('user', 'ada')).rejects.toMatchObject({ code: 'ERR_SESSION_TIMEOUT' })
  await expect(unavailable).resolves.toEqual({ code: 'ERR_SESSION_TIMEOUT' })
  await store.close()
})

test('a validate that never answers keeps no visitor waiting, and is no outage', async () => {
  const store = storeWith({ timeout: 1000, validate: () => new Promise(() => {}) })
  await expect(store.get('many1')).rejects.toMatchObject({ status: 503, message: expect.stringMatching(/^"validate"/) })
  expect(store.counters.unavailable).toBe(0)
  expect(await client.exists(`${prefix}many1`)).toBe(1)
})
