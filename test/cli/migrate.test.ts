import { randomBytes } from 'node:crypto'
import { RedisStore as ConnectRedis } from 'connect-redis10'
import type { Redis } from 'ioredis'
import { createClient } from 'redis'
import * as migrate from '../../src/cli/commands/migrate.js'
import { RedisStore, type RedisStoreOptions } from '../../src/index.js'
import { makeUser } from '../support/acl-user.js'
import { type Ended, runHere } from '../support/command-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'

const KEY = randomBytes(32).toString('base64')
const SECRET = randomBytes(32).toString('base64')
const env = { REDIS_URL: '', SECRET, KEY }
const COUNT = 120
interface Content {
  userId?: string
  visits?: number
}
const HOUR = 3_600_000

let redis: PrivateRedis
let client: Redis
let theirs: ConnectRedis

beforeAll(async () => {
  redis = await privateRedis()
  client = redis.connect()
  env.REDIS_URL = redis.socketPath
  const nodeRedis = createClient({ socket: { path: redis.socketPath, tls: false } })
  await nodeRedis.connect()
  closing.push(() => nodeRedis.close())
  theirs = new ConnectRedis({ client: nodeRedis })
})
const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing) await close()
  await redis.stop()
})
beforeEach(() => redis.admin.flushall())

const idOf = (i: number) => `id-${i}`
const session = (i: number, maxAge: number | null = HOUR) => ({
  cookie: {
    originalMaxAge: maxAge,
    expires: maxAge === null ? null : new Date(Date.now() + maxAge).toISOString(),
    httpOnly: true,
    path: '/',
    secure: true,
  },
  userId: `u-${i % 3}`,
  cart: { items: [i] },
})

/** Sessions that connect-redis wrote; every second one with a `maxAge`. */
const fill = (count = COUNT) =>
  Promise.all(
    Array.from({ length: count }, (_, i) => theirs.set(idOf(i), session(i, i % 2 === 0 ? HOUR : null) as never)),
  )

async function run(...args: string[]): Promise<Ended & { told: Record<string, unknown> }> {
  const ended = await runHere(migrate, [...args, '--yes', '--json'], env)
  return { ...ended, told: ended.out === '' ? {} : JSON.parse(ended.out) }
}

const done = (migrated: number, unchanged = 0) => ({
  found: migrated + unchanged,
  migrated,
  unchanged,
  failed: 0,
  dryRun: false,
})

/** PEXPIRETIME, which Redis has from 7.0 on. Its clock may go on between two commands of a script. */
const PEXPIRETIME = `
local function now() local t = redis.call('TIME'); return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) end
local at, ttl
repeat at = now(); ttl = redis.call('PTTL', KEYS[1]) until at == now()
return ttl < 0 and ttl or at + ttl`
const expiryOf = (key: string) => client.eval(PEXPIRETIME, 1, key) as Promise<number>

/** When each session expires, by stored id. */
async function expiries(prefix = 'sess:'): Promise<Map<string, number>> {
  const all = await client.keys(`${prefix}*`)
  const times = await Promise.all(all.map(expiryOf))
  return new Map(all.map((key, i) => [key.slice(prefix.length), times[i] as number]))
}

/** All keys with their types, content and expiry. */
async function digest(): Promise<string> {
  const all = (await client.keys('*')).sort()
  return JSON.stringify(await Promise.all(all.map(async (key) => [key, await client.dump(key), await expiryOf(key)])))
}

async function contents(store: { get(sid: string): Promise<unknown> }, count = COUNT): Promise<unknown[]> {
  const all = (await Promise.all(Array.from({ length: count }, (_, i) => store.get(idOf(i))))) as {
    userId: string
    cart: unknown
  }[]
  return all.map((one) => one && [one.userId, one.cart])
}
/** A busy machine takes long. */
const storeWith = (options: Omit<RedisStoreOptions, 'client'>) =>
  new RedisStore<Content, string>({ client, timeout: 30_000, ...options } as never)
const byUser = { indexes: { user: (s: Content) => s.userId } } as never as Pick<RedisStoreOptions, 'indexes'>

const wanted = (count = COUNT) => Array.from({ length: count }, (_, i) => [`u-${i % 3}`, { items: [i] }])

test('strings of connect-redis become hashes with the same content, expiry and idle timeout, in an index', async () => {
  await fill()
  const before = await expiries()
  expect((await run('--index', 'user=userId')).told).toEqual(done(COUNT))
  expect(await expiries()).toEqual(before)
  const store = storeWith({ ttl: 3600, ...byUser })
  expect(await contents(store)).toEqual(wanted())
  expect(await client.type('sess:id-1')).toBe('hash')
  expect((await store.get('id-0'))?.cookie).toMatchObject({ originalMaxAge: HOUR, secure: true })
  expect(await store.countBy('user', 'u-1')).toBe(COUNT / 3)
  const { expiresAt } = (await store.info('id-0')) as { expiresAt: Date }
  expect(Math.abs(expiresAt.getTime() - (before.get('id-0') as number))).toBeLessThanOrEqual(1)
  expect(await store.destroyBy('user', 'u-1')).toBe(COUNT / 3)
  expect((await run('--index', 'user=userId')).told).toEqual(done(0, (COUNT * 2) / 3))
})

test('hashes become strings that connect-redis reads, with the same expiry, and hashes again', async () => {
  const store = storeWith({ ...byUser })
  await Promise.all(Array.from({ length: COUNT }, (_, i) => store.set(idOf(i), session(i) as never)))
  const before = await expiries()
  expect((await run('--to', 'connect-redis')).told).toEqual(done(COUNT))
  expect(await expiries()).toEqual(before)
  expect(await contents(theirs as never)).toEqual(wanted())
  expect(await theirs.get('id-0')).toMatchObject({ cookie: { originalMaxAge: HOUR, path: '/', secure: true } })
  // Its index still names it.
  expect(await store.destroyBy('user', 'u-0')).toBe(COUNT / 3)
  expect((await run('--to', 'hash')).told).toEqual(done((COUNT * 2) / 3))
})

test('ids become digests under a secret; those that are digests stay', async () => {
  await fill()
  const before = [...(await expiries()).values()].sort()
  expect((await run('--hash-secret-env', 'SECRET', '--index', 'user=userId')).told).toEqual(done(COUNT))
  expect([...(await expiries()).values()].sort()).toEqual(before)
  const store = storeWith({ hashIds: SECRET, ...byUser })
  expect(await contents(store)).toEqual(wanted())
  expect(await store.countBy('user', 'u-1')).toBe(COUNT / 3)
  expect(await client.keys('*id-*')).toEqual([])
  expect(await store.destroyBy('user', 'u-1')).toBe(COUNT / 3)
  const again = await runHere(migrate, ['--hash-secret-env', 'SECRET', '--yes'], env, { isWatched: true })
  expect(again.out).toBe(
    '0 sessions migrated, 0 already in this form.\n'.replace('0 already', `${(COUNT * 2) / 3} already`),
  )
  expect(again.err).toMatch(/only their visitors know/)
})

test('values become encrypted, encrypted with another key, and plain again', async () => {
  await fill()
  const other = randomBytes(32).toString('base64')
  expect((await run('--encryption-key-env', 'KEY')).told).toEqual(done(COUNT))
  const before = await expiries()
  expect(await client.hget('sess:id-1', 'userId')).toMatch(/^~/)
  expect(await contents(storeWith({ encryption: { keys: [KEY] } }))).toEqual(wanted())
  Object.assign(env, { BOTH: `${other},${KEY}`, OTHER: other })
  expect((await run('--encryption-key-env', 'BOTH')).told).toEqual(done(COUNT))
  expect(await contents(storeWith({ encryption: { keys: [other] } }))).toEqual(wanted())
  expect((await run('--encryption-key-env', 'KEY')).told).toMatchObject({
    migrated: 0,
    failed: COUNT,
    why: { encrypted: COUNT },
  })
  expect((await run('--encryption-key-env', 'OTHER', '--hash-ids')).told).toEqual(done(COUNT))
  expect(await contents(storeWith({ hashIds: true, encryption: { keys: [other] } }))).toEqual(wanted())
  // Without the key, a digest could not be computed for values that are bound to their id.
  expect((await run('--encryption-key-env', 'OTHER', '--decrypt')).told).toEqual(done(COUNT))
  expect(await contents(storeWith({ hashIds: true }))).toEqual(wanted())
  expect([...(await expiries()).values()].sort()).toEqual([...before.values()].sort())
})

test('encrypted values are not moved to other ids without their key', async () => {
  const store = storeWith({ encryption: { keys: [KEY] } })
  await store.set('id-0', session(0) as never)
  const { code, told } = await run('--hash-ids')
  expect([code, told]).toMatchObject([1, { migrated: 0, why: { encrypted: 1 } }])
  expect(await store.get('id-0')).toMatchObject({ userId: 'u-0' })
})

test('sessions move to another prefix, with their index entries and what a stopped call has left', async () => {
  await fill()
  const before = await expiries()
  expect((await run('--to-prefix', 'app:', '--index', 'user=userId')).told).toEqual(done(COUNT))
  expect(await expiries('app:')).toEqual(before)
  const store = storeWith({ prefix: 'app:', ...byUser })
  expect(await contents(store)).toEqual(wanted())
  expect(await store.countBy('user', 'u-1')).toBe(COUNT / 3)
  expect(await client.keys('*sess:*')).toEqual([])
})

test('--dry-run counts, and changes nothing', async () => {
  await fill(20)
  await client.set('sess:odd', 'no session')
  await client.lpush('sess:list', 'x')
  await client.set('sess:other-serializer', '{"json":{"cookie":{}},"meta":{}}')
  const before = await digest()
  const { code, out } = await runHere(migrate, ['--dry-run', '--hash-ids'], env)
  expect(await digest()).toBe(before)
  expect([code, out]).toEqual([
    1,
    '20 sessions would be migrated, 0 already in this form.\n' +
      '3 left as they are: not what this library or connect-redis writes as JSON.\n',
  ])
})

test('asks on a terminal, with how many of how many', async () => {
  await fill(20)
  const questions: string[] = []
  const ask = (answer: boolean) => (question: string) => {
    questions.push(question)
    return Promise.resolve(answer)
  }
  await runHere(migrate, [], env, { ask: ask(false) })
  expect(await client.type('sess:id-0')).toBe('string')
  expect((await runHere(migrate, [], env, { ask: ask(true) })).out).toBe(
    '20 sessions migrated, 0 already in this form.\n',
  )
  expect(questions[1]).toMatch(/^Migrate 20 of 20 sessions under sess: at .*\? \[y\/N\] $/)
  expect((await runHere(migrate, [], env)).code).toBe(2)
})

test('a session without TTL stays without', async () => {
  await client.set('sess:id-0', JSON.stringify(session(0)))
  await run()
  expect([await client.type('sess:id-0'), await client.pttl('sess:id-0')]).toEqual(['hash', -1])
  await run('--to', 'connect-redis')
  expect([await client.type('sess:id-0'), await client.pttl('sess:id-0')]).toEqual(['string', -1])
})

test('a session that renewSession has given another id does not become a string that nobody finds', async () => {
  await storeWith({}).set('id-0', session(0) as never)
  await client.hset('sess:id-0', '@renew', `1 mhk3o0x1 c u0 ${'s'.repeat(22)}`)
  expect((await run('--to', 'connect-redis')).told).toMatchObject({ migrated: 0, failed: 1, why: { renewed: 1 } })
})

test('goes on where it was stopped, and counts each session once', async () => {
  await fill(1500)
  const outs: Ended[] = []
  let resume: string[] = []
  do {
    const stop = new AbortController()
    const monitor = await redis.connect().monitor()
    let scans = 0
    monitor.on('monitor', (_time, [name]: string[]) => {
      if (name?.toLowerCase() === 'scan' && ++scans === 2) stop.abort()
    })
    outs.push(await runHere(migrate, ['--yes', '--json', ...resume], env, { stop: stop.signal }))
    monitor.disconnect()
    const [place] = /--resume=[\w-]+/.exec(outs.at(-1)?.err ?? '') ?? []
    resume = place === undefined ? [] : [place]
  } while (resume.length > 0)
  expect(outs.length).toBeGreaterThan(2)
  expect(outs.slice(0, -1).every(({ code }) => code === 3)).toBe(true)
  expect(JSON.parse(outs.at(-1)?.out ?? '')).toMatchObject({ migrated: 1500, failed: 0 })
  expect(outs.map(({ err }) => Buffer.from(err.split('=').at(-1) ?? '', 'base64url').toString()).join()).not.toMatch(
    /id-\d/,
  )
})

test('--rate limits how many sessions are migrated in a second', async () => {
  await fill(30)
  const begun = performance.now()
  await run('--rate', '20')
  // The first two go at once, the others wait for their turn.
  expect(performance.now() - begun).toBeGreaterThan(1200)
})

test.each([
  [['--to', 'json'], /--to takes hash or connect-redis/],
  [['--index', 'user'], /--index takes name=property/],
  [['--hash-secret-env', 'NOPE'], /this one is not set/],
  [['--hash-ids', '--hash-secret-env', 'SECRET'], /not both/],
  [['--encryption-key-env', 'SHORT'], /no keys of 32 bytes/],
  [['--decrypt'], /--decrypt needs the keys/],
  [['--to', 'connect-redis', '--hash-ids'], /goes with none of/],
  [['--to-prefix', 'sess:v2:'], /neither prefix may begin/],
  [['--rate', '0'], /--rate takes a whole number/],
])('%j is wrong use, and says what is right', async (args, message) => {
  const { code, err } = await runHere(migrate, [...args, '--yes'], { ...env, SHORT: 'hunter2' })
  expect([code, err]).toEqual([2, expect.stringMatching(message)])
  expect(err).not.toMatch(/hunter2/)
})

test.each([
  ['to hashes', ['--index', 'user=userId']],
  ['to hashed ids', ['--hash-secret-env', 'SECRET']],
  ['back', ['--to', 'connect-redis']],
])('the user of doctor --acl --admin may do it all: %s', async (_, args) => {
  await fill(20)
  const store = storeWith({})
  await store.set('id-x', session(1) as never)
  await makeUser(redis.admin, { name: 'cli', password: 'p4ss', isAdmin: true, changes: [] })
  await redis.admin.call('ACL', 'LOG', 'RESET')
  const { code, err } = await runHere(migrate, [...args, '--yes'], {
    ...env,
    REDIS_URL: `${redis.socketPath}?username=cli&password=p4ss`,
  })
  expect([code, err, await redis.admin.call('ACL', 'LOG')]).toEqual([0, '', []])
})

describe('while an application writes and ends sessions', () => {
  const FORMS: [string, string[], Omit<RedisStoreOptions, 'client'>][] = [
    ['to hashes', ['--index', 'user=userId'], byUser],
    ['to strings', ['--to', 'connect-redis'], {}],
    ['to hashed ids', ['--hash-secret-env', 'SECRET'], { hashIds: SECRET, acceptPlainIds: true }],
    ['to encryption', ['--encryption-key-env', 'KEY'], { encryption: { keys: [KEY], acceptPlaintext: true } }],
    [
      'from encryption',
      ['--encryption-key-env', 'KEY', '--decrypt'],
      { encryption: { keys: [KEY], decryptOnly: true } },
    ],
  ]

  test.each(FORMS)('%s: no write is lost, and no session comes back', async (_, args, options) => {
    await fill(40)
    if (args.includes('--to')) await run()
    if (args.includes('--decrypt')) await run('--encryption-key-env', 'KEY')
    const store = storeWith(options)
    const visits = new Map<string, number>()
    const ended = new Set<string>()
    let isOver = false
    async function visit(seed: number): Promise<void> {
      for (let i = seed; !isOver; i += 7) {
        const sid = idOf(i % 40)
        if (i % 11 === 0 && ended.size < 15) {
          ended.add(sid)
          await store.destroy(sid)
        } else if ((await store.increment(sid, 'visits')) !== null) visits.set(sid, (visits.get(sid) ?? 0) + 1)
      }
    }
    const visitors = [1, 2, 3, 4].map(visit)
    for (let round = 0; round < 4; round++) await run(...args)
    isOver = true
    await Promise.all(visitors)
    await run(...args)
    for (let i = 0; i < 40; i++) {
      const sid = idOf(i)
      const found = await store.get(sid)
      expect([sid, found?.visits ?? null]).toEqual([sid, ended.has(sid) ? null : (visits.get(sid) ?? null)])
      expect(found === null).toBe(ended.has(sid))
    }
    expect([...visits.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(40)
  })
})
