import { RedisStore as ConnectRedisStore } from 'connect-redis10'
import { createClient } from 'redis'

/** Makes a connect-redis store as its users do: with a node-redis client, on the Redis of this test run. */
export async function connectRedis() {
  const client = createClient({ socket: { path: process.env.TEST_REDIS_SOCKET as string, tls: false } })
  await client.connect()
  return {
    client,
    store: (options: Omit<ConstructorParameters<typeof ConnectRedisStore>[0], 'client'> = {}) =>
      new ConnectRedisStore({ client, ...options }),
    close: () => client.close(),
  }
}
