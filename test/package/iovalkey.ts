// An application with iovalkey and no other client: compiled, not run, against the packed package.
import { type RedisClient, RedisStore } from 'connect-redis-hash'
import { Cluster, Redis } from 'iovalkey'

const client = new Redis({ lazyConnect: true })
export const given: RedisClient = client
export const stores: RedisStore[] = [
  new RedisStore({ client }),
  new RedisStore({ client: new Cluster([{ host: '127.0.0.1', port: 7000 }]) }),
]
