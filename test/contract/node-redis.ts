import { RedisStore as ConnectRedisStore } from 'connect-redis10'
import { createClient } from 'redis'

/** connect-redis as its users have it: on a node-redis client, on this run's Redis. */
export async function connectRedis() {
  const client = createClient({ socket: { path: process.env.TEST_REDIS_SOCKET as string, tls: false } })
  await client.connect()
  return {
    store: (options: Omit<ConstructorParameters<typeof ConnectRedisStore>[0], 'client'> = {}) =>
      new ConnectRedisStore({ client, ...options }),
    close: () => client.close(),
  }
}
