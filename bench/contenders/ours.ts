import { type Contender, type Opened, type Place, Skip, TTL } from './contender.js'
import { ioredis, nodeRedis } from './redis-peers.js'

const packages = ['connect-redis-hash', 'ioredis']

/** A store with the options that connect-redis has, and no other feature. */
export const ours: Contender = {
  name: 'ours',
  title: 'connect-redis-hash',
  server: 'redis',
  packages,
  open: (place) => open(place, {}),
}

export const oursPipelining: Contender = {
  name: 'ours, pipelining',
  title: 'connect-redis-hash, `enableAutoPipelining`',
  server: 'redis',
  packages,
  open: (place) => open(place, {}, { enableAutoPipelining: true }),
}

/** Over the client of connect-redis 10. */
export const oursOverNodeRedis: Contender = {
  name: 'ours, node-redis',
  title: 'connect-redis-hash, node-redis',
  server: 'redis',
  packages: ['connect-redis-hash', 'redis'],
  open: async (place) => {
    const { RedisStore } = await import('connect-redis-hash')
    const client = (await nodeRedis(place)) as never
    return { store: new RedisStore({ client, ttl: TTL, ...patienceAt(place) }) }
  },
}

/** Shows what `touchInterval` saves. */
export const oursEveryTouch: Contender = {
  name: 'ours, every touch',
  title: 'connect-redis-hash, `touchInterval: 0`',
  server: 'redis',
  packages,
  open: (place) => open(place, { touchInterval: 0 }),
}

export const oursIndexed: Contender = {
  name: 'ours, user index',
  title: 'connect-redis-hash, `indexes: { user }`',
  server: 'redis',
  packages,
  open: (place) => open(place, { indexes: { user: (session: { userId?: string }) => session.userId } }),
}

/**
 * It needs its own key prefix: Redis reports changes by key name for all databases together, and the other contenders
 * write all the time.
 */
export const oursCached: Contender = {
  name: 'ours, near cache',
  title: 'connect-redis-hash, `cache`',
  server: 'redis',
  packages,
  open: (place) => open(place, { cache: { max: 20_000, maxAge: 600 }, prefix: 'near:' }),
}

type ClientOptions = Parameters<typeof ioredis>[1]

function patienceAt({ isSlow }: Place): object {
  return isSlow ? { timeout: 60_000 } : {}
}

async function open(place: Place, options: object, clientOptions?: ClientOptions): Promise<Opened> {
  const { RedisStore } = await import('connect-redis-hash')
  const client = (await ioredis(place, clientOptions)) as never
  try {
    return { store: new RedisStore({ client, ttl: TTL, ...patienceAt(place), ...options }) }
  } catch (error) {
    const isUnknown = 'cache' in options && error instanceof TypeError && error.message.includes('cache')
    throw isUnknown ? new Skip('this version has no `cache` option') : error
  }
}
