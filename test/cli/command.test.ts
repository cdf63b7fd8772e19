import { type AddressInfo, createServer, type Server } from 'node:net'
import { runInShell } from '../support/command-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { ANY_CHANNEL, isRedisSince } from '../support/server.js'
import { unhurried } from '../support/unhurried.js'

const PASSWORD = 'p4ss%2Fword'
let redis: PrivateRedis
let url: string
let silent: Server

beforeAll(async () => {
  redis = await privateRedis(['--appendonly', 'yes'])
  await redis.admin.call('ACL', 'SETUSER', 'app', 'on', '>p4ss/word', '~*', ...ANY_CHANNEL, '+@all')
  await redis.admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>other')
  url = `${redis.socketPath}?username=app&password=${PASSWORD}`
  // The server takes connections, and says nothing. It reads, so that it notices their end.
  silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1')
  await new Promise((resolve) => silent.once('listening', resolve))
})
afterAll(async () => {
  silent.close()
  await redis.stop()
})

const expectNoPassword = (text: string) => expect(text).not.toContain('p4ss')

test('exits with 0 where nothing is to be changed, with the URL from the environment', async () => {
  const run = () => runInShell('connect-redis-hash doctor', { REDIS_URL: url })
  const { code, out, err } = await unhurried(redis, run, (ended) => /^warning +latency:/m.test(ended.out))
  expect(out).toMatch(/^(Redis|Valkey) [\d.]+ at \/.+redis\.sock, prefix sess:\n/)
  // Redis before 7.0 cannot be asked for permissions, and some commands have no form that changes nothing.
  expect(out).toMatch(isRedisSince(7, 0) ? /\nNothing to change\.\n$/ : /\n1 thing that could not be looked at\.\n$/)
  expect(err).toBe('')
  expect(code).toBe(0)
  expectNoPassword(out)
})

test('exits with 1 where something will go wrong, and prints no colours into a pipe', async () => {
  await redis.admin.config('SET', 'maxmemory', '64mb')
  await redis.admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
  const { code, out } = await runInShell('connect-redis-hash doctor "$REDIS_URL" | cat', { REDIS_URL: url })
  await redis.admin.config('SET', 'maxmemory', '0')
  await redis.admin.config('SET', 'maxmemory-policy', 'noeviction')
  expect(out).toMatch(/^PROBLEM {2}eviction: maxmemory-policy is allkeys-lru$/m)
  expect(out).toMatch(/^ {9}-> CONFIG SET maxmemory-policy noeviction$/m)
  expect(out).not.toContain('\x1b')
  expect(code).toBe(1)
})

test('can be cut off by head, without a complaint', async () => {
  const { code, out, err } = await runInShell('connect-redis-hash doctor | head -1', { REDIS_URL: url })
  expect([code, out.split('\n').length, err]).toEqual([0, 2, ''])
  const closed = await runInShell('(connect-redis-hash doctor; echo "exit $?" >&2) | true', { REDIS_URL: url })
  expect(closed).toMatchObject({ code: 0, err: 'exit 0\n' })
})

test('--json is for programs', async () => {
  const run = () => runInShell('connect-redis-hash doctor --json --prefix shop:', { REDIS_URL: url })
  const { code, out } = await unhurried(redis, run, (ended) => /"latency",\s+"level": "warning"/.test(ended.out))
  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual({
    server: expect.stringMatching(/^(Redis|Valkey) [\d.]+$/),
    address: redis.socketPath,
    user: 'app',
    prefix: 'shop:',
    problems: 0,
    warnings: 0,
    findings: expect.arrayContaining([{ check: 'eviction', level: 'ok', what: 'maxmemory-policy is noeviction' }]),
  })
  expectNoPassword(out)
})

test('--help says what it does, and where the URL is safe', async () => {
  const all = await runInShell('connect-redis-hash --help && connect-redis-hash doctor --help')
  expect(all.out).toMatch(/^doctor {6}examine a Redis/m)
  expect(all.out).toMatch(/REDIS_URL/)
  expect(all.code).toBe(0)
})

describe('exits with 2, and never shows the password', () => {
  const port = () => (silent.address() as AddressInfo).port

  test.each([
    ['no command', '', /Usage/],
    ['an unknown command', 'examine redis://app:p4ss@x', /Usage/],
    ['no URL', 'doctor', /set REDIS_URL/],
    ['an unknown option', 'doctor --url=redis://:p4ss@x', /no such option/],
    ['two URLs', 'doctor redis://:p4ss@x redis://:p4ss@y', /one URL/],
    ['another protocol', 'doctor http://app:p4ss@localhost', /no Redis URL/],
    ['what is no URL', 'doctor "redis://app:p4ss@lo cal"', /no Redis URL/],
    ['nothing there', 'doctor redis://app:p4ss@127.0.0.1:1', /at 127\.0\.0\.1:1: nothing listens there/],
    ['no socket', 'doctor "/nowhere.sock?password=p4ss"', /at \/nowhere.sock: there is no such socket/],
    ['no host', 'doctor redis://app:p4ss@nowhere.invalid', /at nowhere\.invalid:6379: /],
    ['a wrong password', 'doctor "$SOCKET?username=app&password=p4ss"', /refuses the user name or password/],
    ['no password', 'doctor "$SOCKET"', /asks for a password/],
    ['a server that says nothing', 'doctor redis://app:p4ss@127.0.0.1:$PORT', /not answer within 3 seconds/],
    ['--json', 'doctor --json redis://app:p4ss@127.0.0.1:1', /nothing listens there/],
  ])('%s', async (_name, args, said) => {
    const env = { SOCKET: redis.socketPath, PORT: String(port()), REDIS_URL: '' }
    const { code, out, err } = await runInShell(`connect-redis-hash ${args}`, env)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(said)
    expectNoPassword(err)
  })
})
