import { setImmediate as tick } from 'node:timers/promises'
import { RedisStore, type Serializer } from 'connect-redis-hash'
import { connect, freshPrefix } from '../support/redis.js'
import { REDIS_STORE, REDIS_STORE_OF_STRINGS, REDIS_STORE_WITH_HASHED_IDS } from './differences.js'
import { HASH_SECRET } from './parts/basics.js'
import { describeStoreContract } from './store-contract.js'

const client = connect()
const pipelining = connect({ enableAutoPipelining: true, keyPrefix: freshPrefix() })

afterAll(() => Promise.all([client.quit(), pipelining.quit()]))

/** A serializer whose texts are not JSON. It parses some texts later than others. */
const base64: Serializer = {
  stringify(value) {
    if (value === undefined) throw new Error('undefined is no value')
    const json = JSON.stringify(value) as string | undefined
    return (json === undefined ? undefined : Buffer.from(json).toString('base64')) as string
  },
  async parse(text) {
    if (text.length % 8 === 0) await tick()
    return JSON.parse(Buffer.from(text, 'base64').toString())
  },
}

describeStoreContract(
  'RedisStore on a client with auto-pipelining and a keyPrefix',
  () => new RedisStore({ client: pipelining, prefix: freshPrefix() }),
  REDIS_STORE,
)
describeStoreContract(
  'RedisStore with hashed ids',
  () => new RedisStore({ client, prefix: freshPrefix(), hashIds: HASH_SECRET }),
  REDIS_STORE_WITH_HASHED_IDS,
)
describeStoreContract(
  'RedisStore with a serializer that reads asynchronously',
  () => new RedisStore({ client, prefix: freshPrefix(), serializer: base64 }),
  REDIS_STORE,
)
describeStoreContract(
  "RedisStore with convert: 'never', which writes strings",
  () => new RedisStore({ client, prefix: freshPrefix(), convert: 'never', timeout: 30_000 }),
  REDIS_STORE_OF_STRINGS,
)
describeStoreContract(
  "RedisStore with convert: 'never' and a serializer that reads asynchronously",
  () => new RedisStore({ client, prefix: freshPrefix(), convert: 'never', serializer: base64, timeout: 30_000 }),
  REDIS_STORE_OF_STRINGS,
)
