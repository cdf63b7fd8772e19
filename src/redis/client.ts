import type { Cluster, Redis } from 'ioredis'
import { internalsOf } from './clients/ioredis-internals.js'

/** The application's client. The application closes it. */
export type RedisClient = Redis | Cluster

/** The connection to one server: the client itself, or a node of a Cluster. */
export type RedisNode = Redis

export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster
}

/** Whether `quit` or `disconnect` was called. A command that is sent afterwards can prevent the reply to `quit`. */
export function isClosedByCaller(client: RedisClient): boolean {
  return internalsOf(client).manuallyClosing === true
}

/** Whether the client will not connect again by itself: the application has closed it, or it has given up. */
export function isClosed(client: RedisClient): boolean {
  return client.status === 'end' || isClosedByCaller(client)
}

/**
 * ioredis puts `keyPrefix` in front of the keys of commands, but not of SCAN patterns, and SCAN returns keys with it.
 */
export function keyPrefixOf(client: RedisClient): string {
  const options = client.options as { keyPrefix?: string; redisOptions?: { keyPrefix?: string } }
  return options.keyPrefix || options.redisOptions?.keyPrefix || ''
}

/** Looks at the methods instead of the class, because the application may use another copy of ioredis. */
export function isRedisClient(value: unknown): value is RedisClient {
  if (typeof value !== 'object' || value === null) return false
  const client = value as Partial<RedisClient>
  const hasCommands = typeof client.call === 'function' && typeof client.evalsha === 'function'
  // A Cluster of ioredis 4 also has `isCluster`, but only version 4 has `_addedScriptHashes`.
  return hasCommands && 'isCluster' in client && !('_addedScriptHashes' in client)
}
