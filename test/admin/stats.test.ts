import { RedisStore, type SessionContent, type SessionStats } from 'connect-redis-hash'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const indexes = {
  user: (held: SessionContent) => held.userId,
  role: (held: SessionContent) => held.roles,
}
const store = new RedisStore({ client, prefix, indexes, scanCount: 10 })
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const make = (sid: string, data: object) => store.set(sid, { cookie, ...data } as never)
const none = { minute: 0, hour: 0, day: 0, week: 0, older: 0 }

afterEach(() => store.clear())
afterAll(() => client.quit())

test('counts sessions, their memory, what is in each index, and how old they are', async () => {
  await make('a', { userId: 'ada', roles: ['x', 'y'] })
  await make('b', { userId: 'ada' })
  await make('c', {})
  await make('d', { userId: 'bob' })
  await client.set(`${prefix}string`, JSON.stringify({ cookie, userId: 'eve' }), 'EX', 600)
  await client.rpush(`${prefix}foreign`, 'no session')
  for (const [sid, seconds] of Object.entries({ a: 120, b: 7200, c: 2 * 86_400 })) {
    await passTime(client, `${prefix}${sid}`, seconds * 1000)
  }
  const keys = (await client.keys(`*${prefix}*`)).filter((key) => !key.endsWith('foreign'))
  const bytes = await Promise.all(keys.map((key) => client.memory('USAGE', key)))

  expect(await store.stats()).toEqual({
    sessions: 5,
    bytes: bytes.reduce((sum: number, one) => sum + Number(one), 0),
    indexes: { user: { sessions: 4, values: 2 }, role: { sessions: 1, values: 2 } },
    age: { ...none, minute: 2, hour: 1, day: 1, week: 1 },
    idle: { ...none, minute: 2, hour: 1, day: 1, week: 1 },
    ends: { ...none, minute: 1, hour: 1, day: 3, never: 0 },
  })
})

test('sessions that never end are counted as such', async () => {
  const endless = new RedisStore({ client, prefix, disableTTL: true })
  await endless.set('a', { cookie } as never)
  expect((await endless.stats()).ends).toEqual({ ...none, never: 1 })
})

test('of no sessions is all zero', async () => {
  const zero = { sessions: 0, values: 0 }
  const expected = {
    sessions: 0,
    bytes: 0,
    indexes: { user: zero, role: zero },
    age: none,
    idle: none,
    ends: { ...none, never: 0 },
  }
  expect(await store.stats()).toEqual(expected)
})

test('tells its progress, page by page', async () => {
  for (let i = 0; i < 60; i++) await make(`s${i}`, {})
  const seen: number[] = []
  const stats = await store.stats({ onProgress: ({ sessions }: Readonly<SessionStats>) => seen.push(sessions) })
  expect(stats.sessions).toBe(60)
  expect(seen.length).toBeGreaterThan(2)
  expect(seen.at(-1)).toBe(60)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

test('prolongs no session', async () => {
  await make('a', {})
  await client.pexpire(`${prefix}a`, 50_000)
  await store.stats()
  expect(await client.pttl(`${prefix}a`)).toBeLessThanOrEqual(50_000)
})
