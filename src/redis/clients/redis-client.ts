/*
 * The types name only what tells clients apart, and import no library: an application that uses one library needs the
 * types of no other. `never` takes any parameters.
 */

/** A `Redis` or `Cluster` of ioredis 5 or 6, or of iovalkey. */
interface IoredisShape {
  readonly isCluster: boolean
  readonly status: string
  call(...args: never[]): unknown
  evalsha(...args: never[]): unknown
}

/** What `createClient`, `createCluster` or `createSentinel` of node-redis 5 or 6 (npm: redis) returns. */
interface NodeRedisShape {
  readonly isOpen: boolean
  sendCommand(...args: never[]): Promise<unknown>
  withTypeMapping(...args: never[]): unknown
}

/**
 * The application's client of Redis or Valkey: a `Redis` or `Cluster` of ioredis 5 or 6 or of iovalkey; or what
 * `createClient`, `createCluster` or `createSentinel` of node-redis 5 or 6 (npm: redis) returns.
 */
export type RedisClient = IoredisShape | NodeRedisShape
