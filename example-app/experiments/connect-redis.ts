import { RedisStore } from 'connect-redis10'
import type { Redis } from 'ioredis'

/** connect-redis 10 on the shop's client, which is one of ioredis: it asks for the method names of node-redis. */
export function connectRedisStore(client: Redis, prefix: string, ttl: number): RedisStore {
  const asNodeRedis = {
    get: (key: string) => client.get(key),
    set: (key: string, text: string, options: { expiration: { value: number } }) =>
      client.set(key, text, 'EX', options.expiration.value),
    expire: (key: string, seconds: number) => client.expire(key, seconds),
    del: (keys: string[]) => client.del(keys),
  }
  return new RedisStore({ client: asNodeRedis, prefix, ttl })
}
