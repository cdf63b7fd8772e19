import type { Redis } from 'ioredis'
import { type Contender, type Place, TTL } from './contender.js'

export async function nodeRedis({ redisPort, redisDatabase }: Place) {
  const { createClient } = await import('redis')
  const client = createClient({ socket: { host: '127.0.0.1', port: redisPort, tls: false }, database: redisDatabase })
  await client.connect()
  return client
}

export async function ioredis(
  { redisPort, redisDatabase }: Place,
  options: { enableAutoPipelining?: boolean } = {},
): Promise<Redis> {
  const { Redis } = await import('ioredis')
  return new Redis({ host: '127.0.0.1', port: redisPort, db: redisDatabase, ...options })
}

/** The baseline that all contenders are compared with. */
export const connectRedis10: Contender = {
  name: 'connect-redis 10',
  title: 'connect-redis 10, node-redis',
  server: 'redis',
  packages: ['connect-redis10', 'redis'],
  async open(place) {
    const { RedisStore } = await import('connect-redis10')
    return { store: new RedisStore({ client: (await nodeRedis(place)) as never, ttl: TTL }) }
  },
}

export const connectRedis8: Contender = {
  name: 'connect-redis 8',
  title: 'connect-redis 8, ioredis',
  server: 'redis',
  packages: ['connect-redis8', 'ioredis'],
  async open(place) {
    const { RedisStore } = await import('connect-redis8')
    return { store: new RedisStore({ client: await ioredis(place), ttl: TTL }) }
  },
}

export const connectValkey: Contender = {
  name: 'connect-valkey',
  title: 'connect-valkey, valkey-glide',
  server: 'redis',
  packages: ['connect-valkey', '@valkey/valkey-glide'],
  async open({ redisPort, redisDatabase }) {
    const [{ GlideClient }, { ValkeyStore }] = await Promise.all([
      import('@valkey/valkey-glide'),
      import('connect-valkey'),
    ])
    const addresses = [{ host: '127.0.0.1', port: redisPort }]
    const client = await GlideClient.createClient({ addresses, databaseId: redisDatabase })
    return { store: new ValkeyStore({ client, ttl: TTL } as never) as never }
  },
}
