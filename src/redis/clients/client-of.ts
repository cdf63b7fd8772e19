import type { Client } from '../client.js'
import { IoredisClient, isIoredis } from './ioredis/client.js'
import { NodeRedisClient } from './node-redis/client.js'
import { isNodeRedis } from './node-redis/shapes.js'
import type { RedisClient } from './redis-client.js'

/** Whether it is a client of a library that there is an adapter for. */
export function isRedisClient(value: unknown): value is RedisClient {
  return typeof value === 'object' && value !== null && (isIoredis(value) || isNodeRedis(value))
}

/** @param timeoutMs for how long a command is worth waiting for a connection */
export function clientOf(client: RedisClient, timeoutMs: number): Client {
  if (isIoredis(client)) return new IoredisClient(client)
  if (isNodeRedis(client)) return new NodeRedisClient(client, timeoutMs)
  throw new TypeError('no adapter for this client')
}
