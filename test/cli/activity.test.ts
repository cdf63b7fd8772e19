import * as activity from '../../src/cli/commands/activity.js'
import { RedisStore } from '../../src/index.js'
import { runHere } from '../support/command-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'

let redis: PrivateRedis
beforeAll(async () => {
  redis = await privateRedis()
})
afterAll(() => redis.stop())

const call = (args: string[], others = {}) => runHere(activity, args, { REDIS_URL: redis.socketPath }, others)

test('says that nobody was active, or that nothing is counted', async () => {
  const { code, out, err } = await call(['--step', 'minute', '--json'], { isWatched: true })
  expect([code, out.trim().split('\n').length > 58]).toEqual([1, true])
  expect(err).toMatch(/"activity" option/)
})

test('counts what the stores of the application have counted', async () => {
  const store = new RedisStore<{ userId?: string }>({
    client: redis.admin,
    activity: true,
    indexes: { user: (s) => s.userId },
  })
  for (const [i, userId] of ['u-1', 'u-2', 'u-1'].entries()) {
    await store.set(`id-${i}`, { userId })
    await store.get(`id-${i}`)
  }
  await store.close()
  for (const step of ['minute', 'hour', 'day']) {
    const { code, out } = await call(['--step', step, '--json'])
    const points = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { sessions: number })
    // A minute may be over between two of them.
    expect([code, points.reduce((sum, { sessions }) => sum + sessions, 0)]).toEqual([0, 3])
  }
  const { out } = await call(['--step', 'day'], { isTerminal: true, columns: 200 })
  expect(out).toMatch(/^TIME \(UTC\) +USERS +SESSIONS$/m)
  expect(out).toMatch(/^\d{4}-\d\d-\d\d +2 +3 +█+$/m)
})

test('takes a range', async () => {
  const range = ['--step', 'day', '--from', '2026-01-01', '--to', '2026-01-04T00:00Z']
  const { out } = await call(range)
  expect(out).toBe(['01', '02', '03'].map((day) => `2026-01-${day}T00:00:00.000Z\t0\t0\n`).join(''))
})

test.each([
  [['--step', 'week'], /^--step takes minute, hour, day\./],
  [['--from', 'yesterday'], /^--from takes a time/],
  [['--from', '2026-02-01', '--to', '2026-01-01'], /^--from is later than --to/],
  [['--step', 'minute', '--from', '2020-01-01'], /^--from and --to are too far apart/],
])('refuses %j', async (args, message) => {
  expect(await call(args)).toMatchObject({ code: 2, err: expect.stringMatching(message) })
})
