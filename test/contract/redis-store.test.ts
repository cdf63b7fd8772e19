import { RedisStore, type Serializer } from 'connect-redis-hash'
import { connect, connect5, freshPrefix } from '../support/redis.js'
import { REDIS_STORE, REDIS_STORE_WITH_HASHED_IDS } from './differences.js'
import { HASH_SECRET } from './parts/basics.js'
import { describeStoreContract } from './store-contract.js'

const ioredis6 = connect()
const ioredis5 = connect5()
const pipelining = connect({ enableAutoPipelining: true, keyPrefix: freshPrefix() })

afterAll(() => Promise.all([ioredis6, ioredis5, pipelining].map((client) => client.quit())))

/** A text that is not JSON, read asynchronously and out of order. */
const base64: Serializer = {
  stringify(value) {
    const json = JSON.stringify(value) as string | undefined
    return (json === undefined ? undefined : Buffer.from(json).toString('base64')) as string
  },
  async parse(text) {
    await new Promise((resolve) => setTimeout(resolve, text.length % 2))
    return JSON.parse(Buffer.from(text, 'base64').toString())
  },
}

describeStoreContract(
  'RedisStore on ioredis 6',
  () => new RedisStore({ client: ioredis6, prefix: freshPrefix() }),
  REDIS_STORE,
)
describeStoreContract(
  'RedisStore on ioredis 5',
  () => new RedisStore({ client: ioredis5, prefix: freshPrefix() }),
  REDIS_STORE,
)
describeStoreContract(
  'RedisStore on a client with auto-pipelining and a keyPrefix',
  () => new RedisStore({ client: pipelining, prefix: freshPrefix() }),
  REDIS_STORE,
)
describeStoreContract(
  'RedisStore with hashed ids',
  () => new RedisStore({ client: ioredis6, prefix: freshPrefix(), hashIds: HASH_SECRET }),
  REDIS_STORE_WITH_HASHED_IDS,
)
describeStoreContract(
  'RedisStore with a serializer that reads asynchronously',
  () => new RedisStore({ client: ioredis6, prefix: freshPrefix(), serializer: base64 }),
  REDIS_STORE,
)
