import type { Cluster, Redis } from 'ioredis'
import { internalsOf } from './clients/ioredis-internals.js'

/** What the caller connects with; owned and closed by the caller. */
export type RedisClient = Redis | Cluster

/** A node that can be asked for its own keys: the client itself, or one master of a Cluster. */
export type RedisNode = Redis

export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster
}

/** Whether `quit` or `disconnect` has been called. What is sent after it can cost the caller the answer to its `quit`. */
export function isClosedByCaller(client: RedisClient): boolean {
  return internalsOf(client).manuallyClosing === true
}

/** Whether the application has closed it, or it has given up: by itself it will not connect again. */
export function isClosed(client: RedisClient): boolean {
  return client.status === 'end' || isClosedByCaller(client)
}

/** ioredis puts `keyPrefix` in front of keys it sends, but neither of SCAN patterns nor of the keys SCAN returns. */
export function keyPrefixOf(client: RedisClient): string {
  const options = client.options as { keyPrefix?: string; redisOptions?: { keyPrefix?: string } }
  return options.keyPrefix || options.redisOptions?.keyPrefix || ''
}

/** Structural, because the caller's ioredis may be another copy of the package than the one we would import. */
export function isRedisClient(value: unknown): value is RedisClient {
  if (typeof value !== 'object' || value === null) return false
  const client = value as Partial<RedisClient>
  const hasCommands = typeof client.call === 'function' && typeof client.evalsha === 'function'
  // A Cluster of ioredis 4 has an `isCluster`, too.
  return hasCommands && 'isCluster' in client && !('_addedScriptHashes' in client)
}
