import { connectRedis, RedisStore, type SessionEvents } from 'connect-redis-hash'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'

type Client = Redis | Cluster

const clients: Client[] = []
afterAll(() => {
  for (const client of clients) client.disconnect()
})

function kept<C extends Client>(client: C): C {
  client.on('error', () => {})
  clients.push(client)
  return client
}

const redis = (options: object = {}) => kept(new Redis({ lazyConnect: true, ...options }))
const NODES = [{ host: '127.0.0.1', port: 7000 }]
const cluster = (options: object = {}) => kept(new Cluster(NODES, { lazyConnect: true, ...options }))
const SENTINELS = { sentinels: [{ host: '127.0.0.1', port: 26379 }], name: 'mymaster' }

/** The warnings that a listener gets if it is attached right after construction. */
async function warningsOf(client: Client): Promise<SessionEvents['warning'][]> {
  const heard: SessionEvents['warning'][] = []
  const store = new RedisStore({ client })
  store.on('warning', (warning) => heard.push(warning))
  await new Promise((resolve) => setImmediate(resolve))
  expect(store.counters.warning).toBe(heard.length)
  return heard
}

test.each([
  ['maxRetriesPerRequest', () => redis({ maxRetriesPerRequest: null })],
  ['retryStrategy', () => redis({ retryStrategy: null })],
  ['failoverDetector', () => redis(SENTINELS)],
  ['role', () => redis({ ...SENTINELS, role: 'slave', failoverDetector: true })],
  ['scaleReads', () => cluster({ scaleReads: 'slave' })],
  ['scaleReads', () => cluster({ scaleReads: (nodes: unknown[]) => nodes[0] })],
  ['enableAutoPipelining', () => cluster({ enableAutoPipelining: true })],
  ['clusterRetryStrategy', () => cluster({ clusterRetryStrategy: null })],
])('a client whose %s does harm: one warning that names it', async (name, make) => {
  expect(await warningsOf(make())).toEqual([
    { code: 'client-settings', message: expect.stringMatching(new RegExp(`"${name}.*connectRedis\\(\\)`)) },
  ])
})

test('several such settings are one warning', async () => {
  const warnings = await warningsOf(redis({ ...SENTINELS, maxRetriesPerRequest: null }))
  expect(warnings).toHaveLength(1)
  expect(warnings[0]?.message).toMatch(/maxRetriesPerRequest.*failoverDetector/)
})

test.each([
  ['a plain new Redis()', () => redis()],
  ['one of ioredis 5', () => kept(new Redis5({ lazyConnect: true }) as unknown as Redis)],
  ['a plain new Cluster()', () => cluster()],
  ['no offline queue', () => redis({ maxRetriesPerRequest: null, enableOfflineQueue: false })],
  ['Sentinels and failoverDetector', () => redis({ ...SENTINELS, failoverDetector: true })],
  ['Sentinels and socketTimeout', () => redis({ ...SENTINELS, socketTimeout: 2000 })],
  ['connectRedis with a URL', () => kept(connectRedis('redis://localhost:6379', { lazyConnect: true }))],
  ['connectRedis with Sentinels', () => kept(connectRedis({ ...SENTINELS, lazyConnect: true }))],
  ['connectRedis with Cluster nodes', () => kept(connectRedis(NODES, { lazyConnect: true }))],
])('%s: no warning', async (_name, make) => {
  expect(await warningsOf(make())).toEqual([])
})
