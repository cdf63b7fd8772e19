import { type ActivityRange, RedisStore, type RedisStoreOptions, type SessionContent } from 'connect-redis-hash'
import { Activity } from '../../src/admin/activity.js'
import { ADMIN_ACCESS } from '../../src/admin/admin-access.js'
import { watchCommands } from '../support/commands.js'
import { gate } from '../support/gate.js'
import { connect, freshPrefix } from '../support/redis.js'
import { ANY_CHANNEL } from '../support/server.js'

const client = connect()
let prefix: string
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const indexes = { user: (held: SessionContent) => held.userId }
const storeWith = (options: Partial<RedisStoreOptions> = {}) =>
  new RedisStore({ client, prefix, indexes, activity: true, ...options })
/** Makes a session, and a first visit. */
async function make(store: RedisStore, sid: string, userId?: string): Promise<void> {
  await store.set(sid, { cookie, userId } as never)
  await store.get(sid)
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** A moment in the middle of a minute, an hour and a day. */
const NOON = Date.UTC(2026, 4, 17, 12, 30, 30)
let now = NOON

beforeEach(() => {
  prefix = freshPrefix()
  now = NOON
  jest.spyOn(Date, 'now').mockImplementation(() => now)
})
afterEach(async () => {
  jest.restoreAllMocks()
  const left = await client.keys(`*${prefix}*`)
  if (left.length > 0) await client.del(...left)
})
afterAll(() => client.quit())

const at = (range: Partial<ActivityRange>): ActivityRange => ({ from: NOON, step: 'minute', ...range })

test('counts each user and each session once, however often they come', async () => {
  const store = storeWith()
  for (const [sid, user] of [
    ['a', 'ada'],
    ['b', 'ada'],
    ['c', 'bob'],
    ['d', undefined],
  ] as const) {
    await make(store, sid, user)
    for (let i = 0; i < 3; i++) await store.get(sid)
  }
  for (const step of ['minute', 'hour', 'day'] as const) {
    const { points } = await store.activity.read(at({ step }))
    expect(points.map(({ users, sessions }) => [users, sessions])).toEqual([[2, 4]])
  }
})

test('tells when, with empty steps in between, and the average of all', async () => {
  const store = storeWith()
  await make(store, 'a', 'ada')
  await make(store, 'b', 'bob')
  now += 2 * MINUTE
  await store.get('a')
  now += HOUR
  await store.get('b')
  const minutes = await store.activity.read(at({ to: NOON + 3 * MINUTE }))
  const start = NOON - (NOON % MINUTE)
  expect(minutes).toEqual({
    points: [
      { at: new Date(start), users: 2, sessions: 2 },
      { at: new Date(start + MINUTE), users: 0, sessions: 0 },
      { at: new Date(start + 2 * MINUTE), users: 1, sessions: 1 },
      { at: new Date(start + 3 * MINUTE), users: 0, sessions: 0 },
    ],
    average: { users: 0.75, sessions: 0.75 },
  })
  const hours = await store.activity.read(at({ step: 'hour' }))
  expect(hours.points.map(({ users }) => users)).toEqual([2, 1])
  expect((await store.activity.read(at({ from: new Date(NOON), step: 'day' }))).average).toEqual({
    users: 2,
    sessions: 2,
  })
})

test('costs no request a command: what was noted goes to Redis later, and when the store is closed', async () => {
  const store = storeWith()
  await make(store, 'a', 'ada')
  await store.activity.read(at({}))
  const log = await watchCommands(client, prefix)
  try {
    for (let i = 0; i < 5; i++) await store.get('a')
    expect((await log.take()).map(([name]) => name?.toLowerCase())).toEqual(Array.from({ length: 5 }, () => 'hgetall'))
    await store.close()
    expect((await log.take()).map(([name]) => name?.toLowerCase())).toEqual(Array.from({ length: 6 }, () => 'evalsha'))
    await store.close()
    expect(await log.take()).toEqual([])
  } finally {
    log.stop()
  }
})

test('a session that express-session saves for the first time counts at once', async () => {
  const store = storeWith()
  const req = { sessionID: 'new', sessionStore: store } as never
  const live = store.createSession(req, { cookie, userId: 'ada' } as never)
  await store.set('new', live)
  expect((await store.activity.read(at({}))).points).toEqual([expect.objectContaining({ users: 1, sessions: 1 })])
})

test('several processes count together', async () => {
  const [one, other] = [storeWith(), storeWith()]
  await make(one, 'a', 'ada')
  await make(one, 'b', 'bob')
  await other.get('a')
  await make(other, 'c', 'eve')
  await one.close()
  const { points } = await other.activity.read(at({}))
  expect(points).toEqual([expect.objectContaining({ users: 3, sessions: 3 })])
})

test('is sent after five seconds by itself', async () => {
  const timers = jest.spyOn(globalThis, 'setTimeout')
  // No other timer of this store takes five seconds.
  const store = storeWith({ timeout: 20_000 })
  await make(store, 'a', 'ada')
  const [waiting, ...others] = timers.mock.calls.filter(([, ms]) => ms === 5000)
  expect(others).toEqual([])
  const [send] = waiting as unknown as [() => void]
  send()
  while ((await client.keys(`idx:${prefix}@activity:*`)).length < 6) await client.ping()
  await store.get('a')
  expect(timers.mock.calls.filter(([, ms]) => ms === 5000)).toHaveLength(2)
  await store.close()
})

test('thousands at once are counted to within a few percent', async () => {
  const store = storeWith({ timeout: 120_000 })
  await Promise.all(Array.from({ length: 5000 }, (_, i) => make(store, `s${i}`, `u${i % 1000}`)))
  const { points } = await store.activity.read(at({}))
  expect(points[0]?.sessions).toBeGreaterThan(4800)
  expect(points[0]?.sessions).toBeLessThan(5200)
  expect(points[0]?.users).toBeGreaterThan(960)
  expect(points[0]?.users).toBeLessThan(1040)
})

test('what is noted while notes are being sent is sent before a reader counts, and before the store is closed', async () => {
  const { context, within } = storeWith()[ADMIN_ACCESS]
  const slow = gate()
  const activity = new Activity(context, async (sending) => {
    await slow.wait()
    return within(sending)
  })
  activity.note('a', ['ada'])
  const sent = activity.flush()
  await slow.reached
  activity.note('b', ['bob'])
  const reading = activity.read(at({}))
  slow.open()
  await sent
  expect((await reading).points).toEqual([expect.objectContaining({ users: 2, sessions: 2 })])
})

test('what Redis does not take is kept for the next time', async () => {
  await client.acl('SETUSER', `${prefix}u`, 'on', '>p', '~*', ...ANY_CHANNEL, '+@all', '-pfadd')
  const limited = connect({ username: `${prefix}u`, password: 'p' })
  try {
    const store = storeWith({ client: limited })
    await make(store, 'a', 'ada')
    await expect(store.activity.read(at({}))).rejects.toMatchObject({ code: 'ERR_SESSION_FORBIDDEN' })
    await client.acl('SETUSER', `${prefix}u`, '+pfadd')
    expect((await store.activity.read(at({}))).points).toEqual([expect.objectContaining({ users: 1, sessions: 1 })])
  } finally {
    limited.disconnect()
    await client.acl('DELUSER', `${prefix}u`)
  }
})

test('counts are kept for two days, two months and two years, and outlive the sessions', async () => {
  const store = storeWith()
  await make(store, 'a', 'ada')
  await store.close()
  await store.clear()
  const keys = (await client.keys(`*${prefix}*`)).toSorted()
  expect(keys.map((key) => key.split(':').slice(3, 5).join(' '))).toEqual([
    'sessions day',
    'sessions hour',
    'sessions minute',
    'users day',
    'users hour',
    'users minute',
  ])
  const days = await Promise.all(keys.map(async (key) => Math.round((await client.pttl(key)) / 86_400_000)))
  expect(days).toEqual([732, 62, 2, 732, 62, 2])
})

test('without an index of users, sessions are counted', async () => {
  const store = storeWith({ indexes: {} })
  await make(store, 'a', 'ada')
  expect((await store.activity.read(at({}))).points).toEqual([expect.objectContaining({ users: 0, sessions: 1 })])
})

test('is off unless asked for', async () => {
  const store = storeWith({ activity: false })
  await make(store, 'a', 'ada')
  await store.get('a')
  await store.close()
  expect(await client.keys(`*${prefix}*@activity*`)).toEqual([])
  expect(() => store.activity).toThrow(/^"activity" option is off/)
})

test.each<[unknown, RegExp]>([
  [{ from: 0, step: 'week' }, /^"step" option must be one of minute, hour, day/],
  [{ from: 'yesterday', step: 'day' }, /^"from" and "to" options/],
  [{ from: NOON + 1, to: NOON, step: 'day' }, /^"from" and "to" options/],
  [{ from: 0, step: 'minute' }, /more than 10000: take a longer one/],
  [{ from: 0, step: 'day', until: 1 }, /no option "until"/],
  [undefined, /takes an options object/],
])('a range of %j is refused', async (range, message) => {
  await expect(storeWith().activity.read(range as never)).rejects.toThrow(message)
})
