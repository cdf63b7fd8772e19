import { RedisStore as ConnectRedisStore } from 'connect-redis10'
import type { createClient } from 'redis'
import { connectNodeRedis } from '../support/node-redis.js'
import { until } from '../support/until.js'

/** Makes a connect-redis store as its users do: with a node-redis client, on the Redis of this test run. */
export async function connectRedis() {
  // A client of a Cluster has what the store calls, too.
  const client = connectNodeRedis() as unknown as ReturnType<typeof createClient>
  await until('connect-redis is connected', () => client.exists('a').then(() => true))
  return {
    client,
    store: (options: Omit<ConstructorParameters<typeof ConnectRedisStore>[0], 'client'> = {}) =>
      new ConnectRedisStore({ client, ...options }),
    close: () => client.close(),
  }
}
