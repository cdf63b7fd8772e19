import { Redis } from 'ioredis'
import * as iovalkey from 'iovalkey'
import { createClient, createSentinel } from 'redis'
import { clientOf } from '../../../src/redis/clients/client-of.js'
import type { RedisClient } from '../../../src/redis/clients/redis-client.js'
import { type PrivateRedis, privateRedis } from '../../support/private-redis.js'
import { type SentinelRig, startSentinelRig } from '../../support/sentinel-rig.js'
import { until } from '../../support/until.js'

/*
 * The address under which pages and reports name a server. A walk of a user who may not run INFO also tells by it that
 * a failover has come between.
 */

let redis: PrivateRedis
let rig: SentinelRig
const ends: (() => void)[] = []

beforeAll(async () => {
  redis = await privateRedis()
  rig = await startSentinelRig()
})
afterAll(async () => {
  for (const end of ends) end()
  await redis?.stop()
  await rig?.stop()
})

const masterAddress = async () => `127.0.0.1:${(await rig.master()).port}`
const addressesOf = (client: unknown) =>
  clientOf(client as RedisClient, 1000)
    .masters()
    .map(({ address }) => address)

function ofIoredis(library: { Redis: unknown }, options: object) {
  const client = new (library.Redis as typeof Redis)({ ...options, lazyConnect: true })
  client.on('error', () => {})
  ends.push(() => client.disconnect())
  return client
}

test.each([
  ['ioredis', { Redis }],
  ['iovalkey', iovalkey],
])('%s: a port, a path, and the master that the Sentinels name', async (_name, library) => {
  expect(addressesOf(ofIoredis(library, { host: '127.0.0.1', port: 7 }))).toEqual(['127.0.0.1:7'])
  expect(addressesOf(ofIoredis(library, { path: redis.socketPath }))).toEqual([redis.socketPath])
  const found = ofIoredis(library, { ...rig.options })
  expect(addressesOf(found)).toEqual([''])
  await found.ping()
  expect(addressesOf(found)).toEqual([await masterAddress()])
})

test('node-redis: a port, a URL, a path, and the master that the Sentinels name', async () => {
  expect(addressesOf(createClient({ socket: { port: 7 } }))).toEqual(['localhost:7'])
  expect(addressesOf(createClient({ url: 'redis://127.0.0.1:7' }))).toEqual(['127.0.0.1:7'])
  expect(addressesOf(createClient({ socket: { path: redis.socketPath, tls: false } }))).toEqual([redis.socketPath])
  const { name, sentinels } = rig.options
  const found = createSentinel({ name, sentinelRootNodes: sentinels })
  found.on('error', () => {})
  ends.push(() => void found.destroy())
  await found.connect()
  const address = await masterAddress()
  const client = clientOf(found as unknown as RedisClient, 1000)
  await until('the master is known', () => client.masters()[0]?.address === address)
})
