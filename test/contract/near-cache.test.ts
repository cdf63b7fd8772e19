import type { RedisStore, RedisStoreOptions } from 'connect-redis-hash'
import { cachingStore, warmed } from '../support/near-cache.js'
import { connect, connect5, connectLowest, connectValkey, freshPrefix } from '../support/redis.js'
import { REDIS_STORE } from './differences.js'
import { describeStoreContract } from './store-contract.js'

const ioredis6 = connect({ keyPrefix: freshPrefix() })
const ioredis5 = connect5()
const lowest = connectLowest()
const iovalkey = connectValkey({ keyPrefix: freshPrefix() })

/** All tests share one store and leave it empty, because a cache takes a moment to start. */
function describeCaching(name: string, options: RedisStoreOptions): void {
  let made: Promise<RedisStore> | undefined
  const make = () => {
    made ??= cachingStore({ prefix: freshPrefix(), ...options }).then(warmed)
    return made
  }
  describeStoreContract(name, make, REDIS_STORE)
  afterAll(async () => {
    const store = await made
    expect(store?.cacheStats?.hits).toBeGreaterThan(2)
    await store?.close()
  })
}

describeCaching('RedisStore with cache, on a client with a keyPrefix', { client: ioredis6 })
describeCaching('RedisStore with cache and onEnd, on ioredis 5', { client: ioredis5, onEnd: async () => {} })
describeCaching('RedisStore with cache, on the oldest ioredis 5 that there is support for', { client: lowest })
describeCaching('RedisStore with cache, on iovalkey with a keyPrefix', { client: iovalkey })

// This runs after the stores have been closed.
afterAll(() => Promise.all([ioredis6, ioredis5, lowest, iovalkey].map((client) => client.quit())))
