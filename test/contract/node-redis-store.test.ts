import { RedisStore } from 'connect-redis-hash'
import { cachingStore, warmed } from '../support/near-cache.js'
import { connectNodeRedis, connectNodeRedis5, type NodeRedis } from '../support/node-redis.js'
import { freshPrefix } from '../support/redis.js'
import { REDIS_STORE } from './differences.js'
import { describeStoreContract } from './store-contract.js'

const clients: NodeRedis[] = []
const kept = (client: NodeRedis) => {
  clients.push(client)
  return client
}
const redis6 = kept(connectNodeRedis())
const redis5 = kept(connectNodeRedis5({ RESP: 3 }))
const prefixed = kept(connectNodeRedis({ RESP: 2, keyPrefix: freshPrefix() }))

// The contract is not about time: a busy machine may take long.
const on = (client: NodeRedis, options: object = {}) =>
  new RedisStore({ client, prefix: freshPrefix(), timeout: 30_000, ...options })

describeStoreContract('RedisStore on node-redis 6', () => on(redis6), REDIS_STORE)
describeStoreContract(
  'RedisStore with onEnd on node-redis 5 with RESP 3',
  () => on(redis5, { onEnd: async () => {} }),
  REDIS_STORE,
)

describe('with cache, on node-redis 6 with RESP 2 and a keyPrefix', () => {
  let made: Promise<RedisStore> | undefined
  const make = () => {
    made ??= cachingStore({ client: prefixed, prefix: freshPrefix(), timeout: 30_000 }).then(warmed)
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
