import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import * as end from '../../src/cli/commands/end.js'
import * as sessions from '../../src/cli/commands/sessions.js'
import * as show from '../../src/cli/commands/show.js'
import * as stats from '../../src/cli/commands/stats.js'
import { RedisStore, type RedisStoreOptions } from '../../src/index.js'
import { runHere } from '../support/command-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'

interface Content {
  userId?: string
  roles?: string[]
  note?: string
}
type Line = { handle: string; seenAt: string; indexes: Record<string, string[]> } & Record<string, unknown>

let redis: PrivateRedis
let client: Redis
let prefix: string
let opened: RedisStore<Content>[] = []

beforeAll(async () => {
  redis = await privateRedis()
  client = redis.connect()
})
afterAll(() => redis.stop())
beforeEach(async () => {
  prefix = `t${randomBytes(4).toString('hex')}*[:`
  await redis.admin.flushall()
})
afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()))
  opened = []
})

const INDEXES = { user: (s: Content) => s.userId, role: (s: Content) => s.roles }

function storeOf(options: Partial<RedisStoreOptions<Content>> = {}): RedisStore<Content> {
  const store = new RedisStore<Content>({ client, prefix, indexes: INDEXES, ...options })
  opened.push(store)
  return store
}

type Command = Parameters<typeof runHere>[0]
const call = (command: Command, args: string[], others = {}) =>
  runHere(command, [...args, '--prefix', prefix], { REDIS_URL: redis.socketPath }, others)
const linesOf = (out: string) =>
  out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line)
const list = async (...args: string[]) => linesOf((await call(sessions, ['--json', ...args])).out)
const usersOf = (lines: readonly Line[]) => lines.map(({ indexes }) => indexes.user?.[0])

/** Writes sessions one after the other, so that each is newer than the one before. */
async function write(store: RedisStore<Content>, users: readonly string[]): Promise<void> {
  for (const [i, userId] of users.entries()) {
    await store.set(`${prefix.slice(1, 9)}-${i}`, { userId, roles: ['a', 'b'], note: `secret-${i}` })
    const now = Date.now()
    await until('the clock has moved on', async () => Date.now() > now)
  }
}

describe.each([
  ['plain ids', {}],
  ['hashed ids', { hashIds: true }],
  ['ids hashed with a secret that the command does not know', { hashIds: 'a secret' }],
  ['encrypted sessions', { encryption: { keys: [randomBytes(32)] } }],
  ['sessions without indexes that were asked for before', { absoluteTimeout: 7200 }],
] as const)('with %s', (_name, options) => {
  test('lists all, newest first, with every index, and neither ids nor values', async () => {
    await write(storeOf(options), ['u-1', 'u-2', 'u-1', 'ü 3'])
    const { out } = await call(sessions, ['--json'])
    const lines = linesOf(out)
    expect(usersOf(lines)).toEqual(['ü 3', 'u-1', 'u-2', 'u-1'])
    expect(lines[0]).toMatchObject({ handle: expect.stringMatching(/^[\w-]{22}$/), indexes: { role: ['a', 'b'] } })
    expect(new Date(lines[0]?.expiresAt as string).getTime()).toBeGreaterThan(Date.now())
    for (const key of await redis.admin.keys('*')) expect(out).not.toContain(key.replace(prefix, ''))
    expect(out).not.toContain('secret-')
  })

  test('lists those of a user and of an index value', async () => {
    await write(storeOf(options), ['u-1', 'u-2', 'u-1', 'ü 3'])
    expect(usersOf(await list('--user', 'u-1'))).toEqual(['u-1', 'u-1'])
    expect(usersOf(await list('--index', 'role=b', '--limit', '3'))).toEqual(['ü 3', 'u-1', 'u-2'])
    expect(usersOf(await list('--user=ü 3'))).toEqual(['ü 3'])
  })

  test('shows one, with sizes, and values only where asked', async () => {
    const store = storeOf(options)
    await write(store, ['u-1', 'u-2'])
    const [{ handle }] = (await list('--user', 'u-1')) as [Line]
    const shown = await call(show, [handle, '--json'])
    expect(linesOf(shown.out)).toEqual([
      expect.objectContaining({
        handle,
        properties: { userId: expect.any(Number), roles: expect.any(Number), note: expect.any(Number) },
      }),
    ])
    expect(shown.out).not.toMatch(/secret-|"values"/)
    const { out } = await call(show, ['--handle', handle, '--json', '--values'])
    const note = 'encryption' in options ? null : 'secret-0'
    expect(linesOf(out)[0]?.values).toMatchObject({ note })
  })

  test('ends those of a user, and only those', async () => {
    const store = storeOf(options)
    await write(store, ['u-1', 'u-2', 'u-1'])
    expect(await call(end, ['--user', 'u-1', '--dry-run'])).toEqual({
      code: 0,
      out: '2 sessions would be ended.\n',
      err: '',
    })
    expect(await store.length()).toBe(3)
    expect(await call(end, ['--user', 'u-1', '--yes'])).toEqual({ code: 0, out: '2 sessions ended.\n', err: '' })
    expect([await store.length(), await store.countBy('user', 'u-1'), await store.countBy('role', 'a')]).toEqual([
      1, 0, 1,
    ])
    expect((await call(end, ['--user', 'u-1', '--yes', '--json'])).out).toBe('{"found":0,"ended":0,"dryRun":false}\n')
  })

  test('ends one by its handle, within an index or not, and all', async () => {
    const store = storeOf(options)
    await write(store, ['u-1', 'u-2', 'u-1', 'u-3'])
    const [one, two] = (await list('--user', 'u-1')).map(({ handle }) => handle) as [string, string]
    expect(await call(end, ['--user', 'u-2', '--handle', one, '--yes'])).toMatchObject({ code: 1 })
    expect(await call(end, ['--user', 'u-1', '--handle', one, '--yes'])).toMatchObject({
      code: 0,
      out: '1 session ended.\n',
    })
    expect(await call(end, ['--handle', two, '--yes'])).toMatchObject({ code: 0, out: '1 session ended.\n' })
    expect(usersOf(await list())).toEqual(['u-3', 'u-2'])
    expect(await call(end, ['--all', '--yes'])).toMatchObject({ code: 0, out: '2 sessions ended.\n' })
    expect(await redis.admin.keys('*')).toEqual([])
  })

  test('counts like the store', async () => {
    const store = storeOf(options)
    await write(store, ['u-1', 'u-2', 'u-1'])
    const { code, out } = await call(stats, ['--json'])
    expect(code).toBe(0)
    expect(linesOf(out)).toEqual([await store.stats()])
  })
})

test('a page goes on after the last session of the page before, with an index and without', async () => {
  await write(storeOf(), ['u-1', 'u-2', 'u-1', 'u-1', 'u-3'])
  for (const selection of [[], ['--index', 'role=a']]) {
    const first = await list('--limit', '2', ...selection)
    const second = await list('--limit', '2', '--after', first[1]?.handle as string, ...selection)
    const third = await list(`--after=${second[1]?.handle}`, ...selection)
    expect([first, second, third].map(usersOf)).toEqual([['u-3', 'u-1'], ['u-1', 'u-2'], ['u-1']])
  }
  const gone = await call(sessions, ['--after', 'A'.repeat(22)])
  expect(gone).toMatchObject({ code: 1, err: expect.stringMatching(/^--after: this session has ended/) })
})

test('strings of connect-redis are listed last, shown, counted and ended', async () => {
  const store = storeOf({ hashIds: false })
  await client.set(`${prefix}old`, JSON.stringify({ cookie: {}, userId: 'u-9', note: 'secret' }), 'EX', 100)
  await write(store, ['u-1'])
  const all = await list()
  expect(all.map(({ format, seenAt }) => [format, seenAt === null])).toEqual([
    [undefined, false],
    ['connect-redis', true],
  ])
  const { handle } = all[1] as Line
  const shown = await call(show, [handle, '--json'])
  expect(linesOf(shown.out)[0]?.properties).toEqual({ userId: 5, note: 8 })
  expect(linesOf((await call(stats, ['--json'])).out)[0]).toMatchObject({ sessions: 2 })
  expect(await call(end, ['--handle', handle, '--yes'])).toMatchObject({ out: '1 session ended.\n' })
  expect(await store.length()).toBe(1)
})

test('--values shows encrypted ones with the key of the application', async () => {
  const key = randomBytes(32).toString('base64')
  await write(storeOf({ encryption: { keys: [key] } }), ['u-1'])
  const [{ handle }] = (await list()) as [Line]
  const env = { REDIS_URL: redis.socketPath, KEYS: `${randomBytes(32).toString('hex')}, ${key}` }
  const args = [handle, '--json', '--values', '--prefix', prefix]
  const { out } = await runHere(show, [...args, '--encryption-key-env', 'KEYS'], env)
  expect(linesOf(out)[0]?.values).toEqual({ userId: 'u-1', roles: ['a', 'b'], note: 'secret-0' })
  const unset = await runHere(show, [...args, '--encryption-key-env', 'NO_KEYS'], env)
  expect(unset).toMatchObject({ code: 2, err: expect.stringMatching(/^--encryption-key-env takes/) })
})

test('expiry is that of the key: an absolute timeout, no TTL, none at all', async () => {
  await storeOf({ absoluteTimeout: 100 }).set('a-1', { userId: 'short' })
  await storeOf({ disableTTL: true }).set('a-2', { userId: 'endless' })
  const [endless, short] = (await list()).sort((a, b) => (usersOf([a])[0]! < usersOf([b])[0]! ? -1 : 1)) as [Line, Line]
  expect(endless.expiresAt).toBeNull()
  expect(Date.parse(short.expiresAt as string)).toBeLessThanOrEqual(Date.now() + 100_000)
})

test('a session of an application with onEnd is ended, and still handed over', async () => {
  const told: [string | undefined, string][] = []
  const store = storeOf({ onEnd: ({ session }, reason) => void told.push([session.userId, reason]) })
  await write(store, ['u-1', 'u-2', 'u-3'])
  const [{ handle }] = (await list('--user', 'u-1')) as [Line]
  await call(end, ['--handle', handle, '--yes'])
  await call(end, ['--user', 'u-2', '--yes'])
  expect(await store.length()).toBe(1)
  await until('both are handed over', async () => told.length === 2)
  expect(told.sort()).toEqual([
    ['u-1', 'revoked'],
    ['u-2', 'revoked'],
  ])
})

test('other processes hear at once that a session was ended', async () => {
  const store = storeOf({ broadcast: true })
  await write(store, ['u-1', 'u-2'])
  const heard: string[] = []
  store.on('ended', ({ handle, reason }) => heard.push(`${handle} ${reason}`))
  await until('the store listens', async () => {
    const [, count] = (await redis.admin.pubsub('NUMSUB', `idx:${prefix}@ended`)) as [string, number]
    return count === 1
  })
  const all = (await list()).map(({ handle }) => `${handle} revoked`)
  await call(end, ['--all', '--yes'])
  await until('both are announced', async () => heard.length === 2)
  expect(heard.sort()).toEqual(all.sort())
})

test('--thorough ends sessions that their index has lost', async () => {
  const store = storeOf()
  await write(store, ['u-1', 'u-2'])
  await redis.admin.del(`idx:${prefix}user:u-1`)
  expect((await call(end, ['--user', 'u-1', '--yes'])).out).toBe('There is no such session.\n')
  expect((await call(end, ['--user', 'u-1', '--thorough', '--dry-run'])).out).toBe('1 session would be ended.\n')
  expect((await call(end, ['--user', 'u-1', '--thorough', '--yes'])).out).toBe('1 session ended.\n')
  expect(usersOf(await list())).toEqual(['u-2'])
})

test('works beside a client with a keyPrefix', async () => {
  const store = storeOf({ client: redis.connect({ keyPrefix: 'app:' }) })
  await write(store, ['u-1', 'u-2'])
  expect(await list()).toEqual([])
  expect(usersOf(await list('--key-prefix', 'app:'))).toEqual(['u-2', 'u-1'])
  expect(usersOf(await list('--key-prefix', 'app:', '--user', 'u-1'))).toEqual(['u-1'])
  expect((await call(end, ['--key-prefix', 'app:', '--all', '--yes'])).out).toBe('2 sessions ended.\n')
})

test('what a visitor has put into an index value or a name cannot steer the terminal', async () => {
  const evil = '\u001b[2J\u009b2J\u202e\nx'
  await storeOf().set('a-1', { userId: evil, [evil]: evil })
  for (const isTerminal of [true, false]) {
    const { out } = await call(sessions, [], { isTerminal })
    const handle = /^[\w-]{22}/m.exec(out)?.[0] as string
    const shown = await call(show, [handle, '--values'], { isTerminal })
    const json = await call(show, [handle, '--values', '--json'], { isTerminal })
    const printed = `${out}${shown.out}${json.out}`
    for (const character of '\u001b\u009b\u202e') expect(printed).not.toContain(character)
    expect(linesOf(json.out)[0]?.values).toMatchObject({ [evil]: evil })
  }
})

test('a terminal gets titles and a table that fits', async () => {
  await write(storeOf(), ['u-1', 'u-2'])
  const { out } = await call(sessions, [], { isTerminal: true, columns: 60 })
  const lines = out.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^HANDLE +LAST SEEN +BEGAN/)
  expect(lines).toHaveLength(3)
  expect(lines.every((line) => line.length <= 60)).toBe(true)
  const more = await call(sessions, ['--limit', '1'], { isTerminal: true, isWatched: true, columns: 200 })
  expect(more.err).toMatch(/^1 session of 2\. The next ones: --after=[\w-]{22}$/m)
  const nobody = await call(sessions, ['--user', 'nobody'])
  expect(nobody).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/no sessions with this value in index user/),
  })
})

describe("strings of a store with convert: 'never', which the index lists", () => {
  let store: RedisStore<Content>
  beforeEach(async () => {
    store = storeOf({ convert: 'never' })
    await write(store, ['u-1', 'u-2'])
    expect(await client.type(`${prefix}${prefix.slice(1, 9)}-0`)).toBe('string')
    // A hash that has left the index, whose entry has stayed.
    await storeOf({ prefix }).set('moved', { userId: 'u-2' })
    const [, score = ''] = await client.zrange(`idx:${prefix}user:u-1`, '0', '0', 'WITHSCORES')
    await client.zadd(`idx:${prefix}user:u-1`, score, 'moved')
  })

  test('are listed with --user', async () => {
    const [one, ...others] = await list('--user', 'u-1')
    expect(others).toEqual([])
    expect((await store.findBy('user', 'u-1')).map(({ handle }) => handle)).toEqual([one?.handle])
  })

  test.each([[[]], [['--thorough']]])('are ended with --user %j, and nobody else', async (more) => {
    expect((await call(end, ['--user', 'u-1', '--dry-run', ...more])).out).toBe('1 session would be ended.\n')
    expect(await call(end, ['--user', 'u-1', '--yes', ...more])).toMatchObject({ code: 0, out: '1 session ended.\n' })
    expect(await store.countBy('user', 'u-1')).toBe(0)
    expect(await store.findBy('user', 'u-2')).toHaveLength(2)
  })

  test('are ended one by one with --user and --handle', async () => {
    const [{ handle = '' } = {}] = await store.findBy('user', 'u-1')
    expect((await call(end, ['--user', 'u-1', '--handle', handle, '--yes'])).out).toBe('1 session ended.\n')
    expect(await store.findBy('user', 'u-2')).toHaveLength(2)
  })
})

describe('end asks', () => {
  test.each([
    ['yes', 0, '2 sessions ended.\n', 0],
    ['no', 1, '0 sessions ended.\n', 2],
  ])('and heeds the answer %s', async (answer, code, out, left) => {
    const store = storeOf()
    await write(store, ['u-1', 'u-1'])
    const questions: string[] = []
    const ask = async (question: string) => {
      questions.push(question)
      return answer === 'yes'
    }
    expect(await call(end, ['--user', 'u-1'], { ask })).toEqual({ code, out, err: '' })
    expect(questions).toEqual([`End 2 sessions (user=u-1) under ${prefix} at ${redis.socketPath}? [y/N] `])
    expect(await store.length()).toBe(left)
  })

  test('and does not if there is nothing to end', async () => {
    const ask = () => Promise.reject(new Error('asked'))
    expect(await call(end, ['--all'], { ask })).toMatchObject({ code: 1, out: 'There is no such session.\n' })
  })
})

describe('wrong use exits with 2 and names the option', () => {
  const COMMANDS = { end, sessions, show, stats }
  const forged = { version: 1, of: 'sessions sess:', round: 1, count: 0, data: {} }
  const place = { servers: [['x', 'p4ss']], slots: [], pages: 0 }
  const FORGED = Buffer.from(JSON.stringify({ ...forged, place })).toString('base64url')
  const HANDLE = 'A'.repeat(22)
  test.each<[keyof typeof COMMANDS, string[], RegExp]>([
    ['end', [], /--user, --index, --handle or --all/],
    ['end', ['--all'], /^--yes is needed/],
    ['end', ['--all', '--user', 'u', '--yes'], /^--all ends every session/],
    ['end', ['--all', '--thorough', '--yes'], /^--thorough goes with/],
    ['end', ['--handle', 'short', '--yes'], /^--handle takes/],
    ['end', ['--user', 'u', '--resume', 'x', '--yes'], /^--resume goes on/],
    ['sessions', ['--limit', '0'], /^--limit takes/],
    ['sessions', ['--after', 'short'], /^--after takes/],
    ['sessions', ['--all', '--user', 'u'], /^--all lists/],
    ['sessions', ['--resume', 'p4ss'], /^--resume takes/],
    ['sessions', ['--resume', Buffer.from('{"version":1}').toString('base64url')], /^--resume takes/],
    ['sessions', ['--resume', FORGED], /^--resume takes/],
    ['sessions', ['--nonsense'], /no such option: --nonsense/],
    ['sessions', ['redis://:p4ss@a', 'redis://:p4ss@b'], /one URL/],
    ['show', [], /handle of one session/],
    ['show', [HANDLE, HANDLE], /handle of one session/],
    ['stats', ['--prefix', ''], /^--prefix takes/],
  ])('%s %j', async (name, args, message) => {
    const { code, out, err } = await runHere(COMMANDS[name], args, { REDIS_URL: redis.socketPath })
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(message)
    expect(err).not.toContain('p4ss')
  })
})

test('show says that there is no such session', async () => {
  const { code, err } = await call(show, ['A'.repeat(22)])
  expect([code, err]).toEqual([1, `There is no session with this handle under ${prefix} at ${redis.socketPath}.\n`])
})
