import * as activity from '../../src/cli/commands/activity.js'
import * as end from '../../src/cli/commands/end.js'
import * as sessions from '../../src/cli/commands/sessions.js'
import * as show from '../../src/cli/commands/show.js'
import * as stats from '../../src/cli/commands/stats.js'
import { RedisStore } from '../../src/index.js'
import { makeUser } from '../support/acl-user.js'
import { runHere } from '../support/command-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { isRedisSince } from '../support/server.js'

let redis: PrivateRedis
let store: RedisStore<{ userId: string }>
let env: { REDIS_URL: string }

beforeAll(async () => {
  redis = await privateRedis()
  store = new RedisStore({ client: redis.admin, indexes: { user: (s) => s.userId } })
  env = { REDIS_URL: `${redis.socketPath}?username=cli&password=p4ss` }
})
afterAll(() => redis.stop())
beforeEach(async () => {
  await redis.admin.flushall()
  await store.set('id-1', { userId: 'u-1' })
  await store.set('id-2', { userId: 'u-2' })
  await allow([])
})

const allow = (changes: string[], isAdmin = true) =>
  makeUser(redis.admin, { name: 'cli', password: 'p4ss', isAdmin, changes })

const COMMANDS = { sessions, show, end, stats, activity }
type Call = [command: keyof typeof COMMANDS, ...args: string[]]
const call = ([command, ...args]: Call) => runHere(COMMANDS[command], args, env)

const HANDLE = 'A'.repeat(22)
const CALLS: Call[] = [
  ['sessions'],
  ['sessions', '--user', 'u-1'],
  ['show', HANDLE],
  ['stats'],
  ['activity'],
  ['end', '--user', 'u-1', '--yes'],
  ['end', '--user', 'u-1', '--thorough', '--yes'],
  ['end', '--handle', HANDLE, '--yes'],
  ['end', '--all', '--yes'],
]

test.each(CALLS)('the user of doctor --acl --admin may do all: %s %s %s', async (...args) => {
  await redis.admin.call('ACL', 'LOG', 'RESET')
  const { err } = await call(args.filter(Boolean) as Call)
  // ioredis asks on each connection whatever it is; nothing else may be refused.
  const log = (await redis.admin.call('ACL', 'LOG')) as string[][]
  expect([args[0] === 'show' ? '' : err, log]).toEqual(['', []])
})

type Lacking = [string[], Call, RegExp]
const SUBCOMMANDS: Lacking[] = [[['-scan', '-memory|usage'], ['stats'], /lacks: \+scan \+memory\|usage\./]]

test.each<Lacking>([
  [['-scan'], ['sessions'], /lacks: \+scan\./],
  // Redis before 7.0 cannot forbid a subcommand alone.
  ...(isRedisSince(7, 0) ? SUBCOMMANDS : []),
  [['-zrange'], ['sessions', '--user', 'u-1'], /lacks: \+zrange\./],
  [['-hkeys'], ['sessions', '--user', 'u-1'], /lacks: \+hkeys\./],
  [['-pfcount'], ['activity'], /lacks: \+pfcount\./],
  [['-evalsha', '-eval'], ['end', '--user', 'u-1', '--yes'], /lacks: \+evalsha \+eval\./],
  [['-del'], ['end', '--all', '--yes'], /lacks: \+del\./],
  [['resetkeys', '~sess:*'], ['sessions', '--user', 'u-1'], /lacks: ~idx:sess:\*\./],
  [['resetkeys', '~idx:sess:*'], ['sessions'], /lacks: ~sess:\*\./],
])('with %j, %j names exactly what the user lacks', async (changes, args, message) => {
  await allow(changes)
  const { code, out, err } = await call(args)
  expect([code, out]).toEqual([2, ''])
  expect(err).toMatch(message)
  expect(err).toMatch(/doctor --acl --admin/)
  expect(err).not.toContain('p4ss')
  expect(await store.length()).toBe(2)
})

test('the user of the application lists and ends the sessions of a user, without SCAN', async () => {
  await allow([], false)
  expect(await call(['sessions', '--user', 'u-1'])).toMatchObject({ code: 0, err: '' })
  expect(await call(['end', '--user', 'u-1', '--yes'])).toMatchObject({ code: 0, out: '1 session ended.\n' })
  expect(await call(['sessions'])).toMatchObject({ code: 2, err: expect.stringMatching(/lacks: \+scan\./) })
})

test('works without INFO, and says when the password is wrong', async () => {
  await allow(['-info'])
  expect(await call(['sessions'])).toMatchObject({ code: 0, err: '' })
  const url = `${redis.socketPath}?username=cli&password=wr0ng`
  const { code, err } = await runHere(sessions, [], { REDIS_URL: url })
  expect([code, err]).toEqual([
    2,
    `Cannot use Redis at ${redis.socketPath}: it refuses the user name or password of the URL.\n`,
  ])
})
