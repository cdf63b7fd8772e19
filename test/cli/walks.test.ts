import type { Redis } from 'ioredis'
import * as end from '../../src/cli/commands/end.js'
import * as sessions from '../../src/cli/commands/sessions.js'
import * as show from '../../src/cli/commands/show.js'
import * as stats from '../../src/cli/commands/stats.js'
import { RedisStore } from '../../src/index.js'
import { type Ended, runHere } from '../support/command-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { ANY_CHANNEL } from '../support/server.js'

const COUNT = 1500
let redis: PrivateRedis
let client: Redis
let store: RedisStore<{ userId?: string }>

beforeAll(async () => {
  redis = await privateRedis()
  client = redis.connect()
  store = new RedisStore({ client, indexes: { user: (s) => s.userId }, timeout: 30_000 })
})
afterAll(async () => {
  await store.close()
  await redis.stop()
})
beforeEach(async () => {
  await redis.admin.flushall()
  for (let i = 0; i < COUNT; i += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, k) => store.set(`id-${i + k}`, { userId: `u-${(i + k) % 7}` })))
  }
})

type Command = Parameters<typeof runHere>[0]

/** Runs a command that is stopped whenever Redis has been asked `after` times for a page of keys. */
async function runInPieces(command: Command, args: string[], after: number): Promise<Ended[]> {
  const pieces: Ended[] = []
  let resume: string[] = []
  do {
    const stop = new AbortController()
    const monitor = await redis.connect().monitor()
    let scans = 0
    monitor.on('monitor', (_time, [name]: string[]) => {
      if (name?.toLowerCase() === 'scan' && ++scans === after) stop.abort()
    })
    const others = { stop: stop.signal, isWatched: false }
    pieces.push(await runHere(command, [...args, ...resume], { REDIS_URL: redis.socketPath }, others))
    monitor.disconnect()
    const [place] = /--resume=[\w-]+/.exec(pieces.at(-1)?.err ?? '') ?? []
    resume = place === undefined ? [] : [place]
  } while (resume.length > 0)
  return pieces
}

const codesOf = (pieces: readonly Ended[]) => [...new Set(pieces.slice(0, -1).map(({ code }) => code))]

test('sessions --all goes on where it was stopped: each session comes once', async () => {
  const pieces = await runInPieces(sessions, ['--all', '--json'], 2)
  expect(pieces.length).toBeGreaterThan(2)
  expect([codesOf(pieces), pieces.at(-1)?.code]).toEqual([[3], 0])
  const handles = pieces.flatMap(({ out }) => out.match(/(?<="handle":")[\w-]{22}/g) ?? [])
  expect([handles.length, new Set(handles).size]).toEqual([COUNT, COUNT])
  expect(pieces[0]?.err).toMatch(/^Stopped after [\d,]+ sessions\. Go on with the same command and --resume=/)
})

test('stats goes on where it was stopped, in either of its walks, and comes to the same result', async () => {
  const pieces = await runInPieces(stats, ['--json'], 3)
  expect(pieces.length).toBeGreaterThan(2)
  expect([codesOf(pieces), pieces.at(-1)?.code]).toEqual([[3], 0])
  const { sessions: count, bytes, indexes } = await store.stats()
  expect(JSON.parse(pieces.at(-1)?.out ?? '')).toMatchObject({ sessions: count, bytes, indexes })
  expect(pieces.slice(0, -1).every(({ out }) => out === '')).toBe(true)
})

test('end --all goes on where it was stopped, and asks once', async () => {
  const pieces = await runInPieces(end, ['--all', '--yes', '--json'], 3)
  expect(pieces.length).toBeGreaterThan(2)
  expect(JSON.parse(pieces.at(-1)?.out ?? '')).toEqual({ found: COUNT, ended: COUNT, dryRun: false })
  expect(await redis.admin.keys('*')).toEqual([])
})

test('a place has no key, no id and nothing of a session, and belongs to one command and prefix', async () => {
  const [{ err }] = (await runInPieces(stats, [], 1)) as [Ended]
  const [, place = ''] = /--resume=([\w-]+)/.exec(err) ?? []
  expect(Buffer.from(place, 'base64url').toString()).not.toMatch(/id-\d|u-\d|user:/)
  const env = { REDIS_URL: redis.socketPath }
  const message = /^--resume: the stopped call was another command, or had another prefix/
  expect(await runHere(stats, ['--resume', place, '--prefix', 'x:'], env)).toMatchObject({
    code: 2,
    err: expect.stringMatching(message),
  })
  expect(await runHere(sessions, ['--all', '--resume', place], env)).toMatchObject({
    code: 2,
    err: expect.stringMatching(message),
  })
})

test('does not go on at another server process, whose cursors mean something else', async () => {
  const [{ err }] = (await runInPieces(stats, [], 1)) as [Ended]
  const [place = ''] = /--resume=[\w-]+/.exec(err) ?? []
  const other = await privateRedis()
  try {
    const { code, err: told } = await runHere(stats, [place], { REDIS_URL: other.socketPath })
    expect([code, told]).toEqual([
      2,
      '--resume: a server has been restarted or replaced since. Begin again without it.\n',
    ])
  } finally {
    await other.stop()
  }
})

test('says how to go on if Redis fails half-way', async () => {
  const stop = new AbortController()
  const monitor = await redis.connect().monitor()
  let scans = 0
  monitor.on('monitor', (_time, [name]: string[]) => {
    // The user of the command loses a permission.
    if (name?.toLowerCase() === 'scan' && ++scans === 2) void redis.admin.call('ACL', 'SETUSER', 'cli', '-scan')
  })
  await redis.admin.call('ACL', 'SETUSER', 'cli', 'on', '>pw', '~*', ...ANY_CHANNEL, '+@all')
  const env = { REDIS_URL: `${redis.socketPath}?username=cli&password=pw` }
  const { code, err } = await runHere(sessions, ['--all', '--json'], env, { stop: stop.signal })
  monitor.disconnect()
  expect(code).toBe(3)
  expect(err).toMatch(
    /lacks a permission \(SCAN\), after [\d,]+ sessions\. Go on with the same command and --resume=[\w-]+\. For this command it lacks: \+scan\./,
  )
  await redis.admin.call('ACL', 'SETUSER', 'cli', '+scan')
  const [place = ''] = /--resume=[\w-]+/.exec(err) ?? []
  expect(await runHere(sessions, ['--all', '--json', place], env)).toMatchObject({ code: 0 })
})

test('a handle that is nowhere costs no command for each session', async () => {
  await redis.takeCalls()
  expect(await runHere(show, ['A'.repeat(22)], { REDIS_URL: redis.socketPath })).toMatchObject({ code: 1 })
  const { scan = 0, hmget = 0, hgetall = 0 } = await redis.takeCalls()
  expect([scan > 0, hmget, hgetall]).toEqual([true, 0, 0])
})
