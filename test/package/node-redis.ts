// An application with node-redis and no other client: compiled, not run, against the packed package.
import { type RedisClient, RedisStore, secureSession } from 'connect-redis-hash'
import { createClient, createCluster, createSentinel } from 'redis'

const client = createClient({ url: 'redis://localhost:6379' })
export const stores: RedisStore[] = [
  new RedisStore({ client }),
  new RedisStore({ client: createClient({ RESP: 2 }) }),
  new RedisStore({ client: createClient({ RESP: 3 }) }),
  new RedisStore({ client: client.duplicate() }),
  new RedisStore({ client: createCluster({ rootNodes: [{ url: 'redis://localhost:7000' }] }) }),
  new RedisStore({
    client: createSentinel({ name: 'mymaster', sentinelRootNodes: [{ host: 'localhost', port: 26379 }] }),
  }),
]
export const given: RedisClient = client
export const sessions = secureSession({ client, secret: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT', user: () => 'ada' })

// @ts-expect-error no client
new RedisStore({ client: {} })
// @ts-expect-error a URL is no client
new RedisStore({ client: 'redis://localhost:6379' })
