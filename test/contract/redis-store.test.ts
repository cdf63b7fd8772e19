import { RedisStore } from 'connect-redis-hash'
import { connect, connect5, connectLowest, connectValkey, freshPrefix } from '../support/redis.js'
import { REDIS_STORE } from './differences.js'
import { describeStoreContract } from './store-contract.js'

const ioredis6 = connect()
const ioredis5 = connect5()
const lowest = connectLowest()
const iovalkey = connectValkey()

afterAll(() => Promise.all([ioredis6, ioredis5, lowest, iovalkey].map((client) => client.quit())))

describeStoreContract(
  'RedisStore on ioredis 6',
  () => new RedisStore({ client: ioredis6, prefix: freshPrefix(), timeout: 30_000 }),
  REDIS_STORE,
)
describeStoreContract(
  'RedisStore on ioredis 5',
  () => new RedisStore({ client: ioredis5, prefix: freshPrefix(), timeout: 30_000 }),
  REDIS_STORE,
)
describeStoreContract(
  'RedisStore on the oldest ioredis 5 that there is support for',
  () => new RedisStore({ client: lowest, prefix: freshPrefix(), timeout: 30_000 }),
  REDIS_STORE,
)
describeStoreContract(
  'RedisStore on iovalkey',
  () => new RedisStore({ client: iovalkey, prefix: freshPrefix(), timeout: 30_000 }),
  REDIS_STORE,
)
describeStoreContract(
  'RedisStore with onEnd',
  () => new RedisStore({ client: ioredis6, prefix: freshPrefix(), timeout: 30_000, onEnd: async () => {} }),
  REDIS_STORE,
)
