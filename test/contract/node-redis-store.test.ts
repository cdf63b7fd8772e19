import { RedisStore } from 'connect-redis-hash'
import { cachingStore, warmed } from '../support/near-cache.js'
import { connectNodeRedis, connectNodeRedis5, connectPool, type NodeRedis } from '../support/node-redis.js'
import { freshPrefix } from '../support/redis.js'
import { REDIS_STORE } from './differences.js'
import { describeStoreContract } from './store-contract.js'

const clients: NodeRedis[] = []
const kept = (client: NodeRedis) => {
  clients.push(client)
  return client
}
const redis6 = kept(connectNodeRedis())
const prefixed = kept(connectNodeRedis({ RESP: 2, keyPrefix: freshPrefix() }))
const redis5 = kept(connectNodeRedis5())
const redis5resp3 = kept(connectNodeRedis5({ RESP: 3 }))
const pool = kept(connectPool())

const on = (client: NodeRedis, options: object = {}) => new RedisStore({ client, prefix: freshPrefix(), ...options })

describeStoreContract('RedisStore on node-redis 6', () => on(redis6), REDIS_STORE)
describeStoreContract('RedisStore on node-redis 6 with RESP 2 and a keyPrefix', () => on(prefixed), REDIS_STORE)
describeStoreContract('RedisStore on node-redis 5', () => on(redis5), REDIS_STORE)
describeStoreContract('RedisStore on node-redis 5 with RESP 3', () => on(redis5resp3), REDIS_STORE)
describeStoreContract('RedisStore on a pool of node-redis 6', () => on(pool), REDIS_STORE)
describeStoreContract('RedisStore with onEnd on node-redis 6', () => on(redis6, { onEnd: async () => {} }), REDIS_STORE)

describe.each([
  ['node-redis 6', redis6],
  ['node-redis 6 with a keyPrefix', prefixed],
  ['node-redis 5', redis5],
])('with cache, on %s', (_name, client) => {
  let made: Promise<RedisStore> | undefined
  const make = () => {
    made ??= cachingStore({ client, prefix: freshPrefix() }).then(warmed)
    return made
  }
  describeStoreContract('RedisStore', make, REDIS_STORE)
  afterAll(async () => {
    const store = await made
    expect(store?.cacheStats?.hits).toBeGreaterThan(2)
    await store?.close()
  })
})

afterAll(() => Promise.all(clients.map((client) => client.close())))
