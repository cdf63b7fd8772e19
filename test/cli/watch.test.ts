import type { Redis } from 'ioredis'
import * as watch from '../../src/cli/commands/watch.js'
import { connectRedis, RedisStore, type RedisStoreOptions } from '../../src/index.js'
import { makeUser } from '../support/acl-user.js'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { runHere } from '../support/command-line.js'
import { isToldOfChanges } from '../support/near-cache.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { testSince } from '../support/server.js'
import { until } from '../support/until.js'

interface Content {
  userId?: string
  note?: string
}
interface Line {
  at: string
  event: string
  handle: string
  reason?: string
  indexes?: Record<string, string[]>
}

let redis: PrivateRedis
let client: Redis
const opened: RedisStore<Content>[] = []
const stops: AbortController[] = []
const running: Promise<unknown>[] = []

beforeAll(async () => {
  redis = await privateRedis()
  client = redis.connect()
})
afterAll(() => redis.stop())
beforeEach(() => redis.admin.flushall())
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort()
  await Promise.all(running.splice(0))
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

function storeOf(options: Partial<RedisStoreOptions<Content>> = {}): RedisStore<Content> {
  const store = new RedisStore<Content>({ client, indexes: { user: (s) => s.userId }, touchInterval: 0, ...options })
  opened.push(store)
  return store
}

/** Starts the command, and resolves its output once Redis reports changes to it. */
async function watching(url = redis.socketPath, args: string[] = [], servers = [redis.admin]) {
  const seen: Line[] = []
  const errors: string[] = []
  const stop = new AbortController()
  stops.push(stop)
  const others = {
    stop: stop.signal,
    out: (text: string) => void seen.push(JSON.parse(text) as Line),
    err: (text: string) => void errors.push(text),
  }
  const done = runHere(watch, ['--json', ...args, url], {}, others)
  running.push(done)
  await until('every server reports changes', async () => {
    const lists = await Promise.all(servers.map((server) => server.client('LIST') as Promise<string>))
    return lists.every((list) => isToldOfChanges(list)) && lists.some((list) => /idx|sub=1/.test(list))
  })
  const at = (event: string, handle?: string) =>
    until(`${event} is told`, () => seen.some((line) => line.event === event && (!handle || line.handle === handle)))
  return { seen, errors, at, done, stop }
}

test('tells what happens to a session from its beginning to its end', async () => {
  const store = storeOf({ hashIds: 'a secret', broadcast: true })
  const { seen, at } = await watching()
  await store.set('id-1', { userId: 'u-1' })
  await at('created')
  await store.patch('id-1', { note: 'secret' })
  await at('saved')
  const session = await store.get('id-1')
  await store.touch('id-1', session as never)
  await at('touched')
  await store.destroy('id-1')
  await at('ended')
  const { handle } = seen[0] as Line
  const indexes = { user: ['u-1'] }
  const whole = (event: string, more = {}) => ({ at: expect.any(String), event, handle, indexes, ...more })
  expect(seen).toEqual([whole('created'), whole('saved'), whole('touched'), whole('ended', { reason: 'destroyed' })])
  expect(JSON.stringify(seen)).not.toMatch(/id-1|secret/)
})

test('an end is told once: with its reason where a store has broadcast, else without', async () => {
  const [quiet, loud] = [storeOf(), storeOf({ broadcast: true })]
  await quiet.set('id-1', { userId: 'u-1' })
  await loud.set('id-2', { userId: 'u-2' })
  const [one, two] = [await quiet.info('id-1'), await loud.info('id-2')]
  const { seen, at } = await watching()
  await loud.destroyBy('user', 'u-2')
  await at('ended', two?.handle)
  await quiet.destroy('id-1')
  await at('ended', one?.handle)
  expect(seen.map(({ handle, reason }) => [handle, reason])).toEqual([
    [two?.handle, 'revoked'],
    [one?.handle, undefined],
  ])
})

test('knows that a session which it has seen has expired', async () => {
  const { seen, at } = await watching()
  await storeOf({ ttl: 2 }).set('id-1', { userId: 'u-1' })
  await at('created')
  await until('Redis has noticed', async () => (await redis.admin.exists('sess:id-1')) === 0)
  await at('ended')
  expect(seen.at(-1)).toMatchObject({ reason: 'expired' })
})

test('what it has not seen before is changed, and other prefixes are none of its business', async () => {
  await storeOf().set('id-1', { userId: 'u-1' })
  const { seen, at } = await watching()
  await storeOf({ prefix: 'other:' }).set('id-2', { userId: 'u-2' })
  await storeOf().patch('id-1', { note: 'x' })
  await at('changed')
  expect(seen.map(({ event }) => event)).toEqual(['changed'])
})

test('ends with 0 when it is stopped', async () => {
  const { stop, done } = await watching()
  stop.abort()
  expect(await done).toMatchObject({ code: 0 })
})

// Before Redis 7.0, a rule cannot take a single subcommand away.
testSince(7, 0)('the user that doctor --acl prints may watch; without tracking it says what is missing', async () => {
  await makeUser(redis.admin, { name: 'cli', password: 'pw' })
  const url = `${redis.socketPath}?username=cli&password=pw`
  const { seen, at } = await watching(url)
  await storeOf().set('id-1', { userId: 'u-1' })
  await at('created')
  expect(seen).toHaveLength(1)

  await makeUser(redis.admin, { name: 'lesser', password: 'pw', changes: ['-client|tracking'] })
  const stop = new AbortController()
  stops.push(stop)
  let said = ''
  const err = (text: string) => {
    said += text
  }
  running.push(runHere(watch, [`${redis.socketPath}?username=lesser&password=pw`], {}, { stop: stop.signal, err }))
  await until('it says so', () => said !== '')
  expect(said).toMatch(/^Redis does not report changes: the Redis user lacks a permission for it\. Only ends/)
})

describe('on a Cluster', () => {
  let rig: ClusterRig
  beforeAll(async () => {
    rig = await startClusterRig()
  })
  afterAll(() => rig.stop())

  test('hears of every master', async () => {
    const cluster = connectRedis(rig.addresses)
    cluster.on('error', () => {})
    const masters = (await rig.masters()).map(({ port }) => redis.connect({ path: '', host: '127.0.0.1', port }))
    const { seen } = await watching(`redis://127.0.0.1:${rig.nodes[0]?.port}`, [], masters)
    const store = storeOf({ client: cluster })
    await Promise.all(Array.from({ length: 12 }, (_, i) => store.set(`id-${i}`, { userId: 'u-1' })))
    await until('all are told', () => new Set(seen.map(({ handle }) => handle)).size === 12)
    expect(new Set(seen.map(({ event }) => event))).toEqual(new Set(['created']))
    cluster.disconnect()
  })
})
