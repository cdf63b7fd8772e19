import type { ClusterOptions, RedisOptions } from 'ioredis'
import { isReadOnly } from '../redis-error.js'

/**
 * Settings of a client that serves web requests. The defaults of ioredis suit background jobs: commands wait for
 * minutes, any number of them is queued, and those that Redis may have executed are sent again. docs/operations.md has
 * these settings in a table.
 */

const COMMAND_TIMEOUT_MS = 1000

/**
 * Returns 50, 100, 200, ... 1000 milliseconds. The attempts never end, so that nobody has to restart the application.
 */
export function reconnectDelay(times: number): number {
  return Math.min(50 * 2 ** Math.min(times - 1, 10), 1000)
}

/**
 * Reconnects if the server has become a replica, to find the new master. For ioredis, 1 means "reconnect"; 2 would also
 * send the command again.
 */
function reconnectOnReadOnly(err: Error): 1 | false {
  return isReadOnly(err) ? 1 : false
}

/** The options of the application on which other settings depend. */
type Timeouts = Pick<RedisOptions, 'commandTimeout'>

/** Settings of each connection, also in a Cluster. */
export function connectionOptions({ commandTimeout = COMMAND_TIMEOUT_MS }: Timeouts) {
  return {
    commandTimeout,
    // Twice the timeout of a command, because one slow command does not mean that the connection is dead.
    socketTimeout: 2 * commandTimeout,
    connectTimeout: 2000,
    // A server that hangs never closes its side of a connection that is given up.
    disconnectTimeout: 200,
    keepAlive: 30_000,
    maxRetriesPerRequest: 1,
    maxLoadingRetryTime: 500,
    autoResendUnfulfilledCommands: false,
  } satisfies RedisOptions
}

export function redisOptions(given: Timeouts) {
  return {
    ...connectionOptions(given),
    enableAutoPipelining: true,
    // The store batches these commands of every request itself (cork.ts), which takes half the time.
    autoPipeliningIgnoredCommands: ['HGETALL', 'hgetall', 'evalsha', 'hmget'],
    retryStrategy: reconnectDelay,
    reconnectOnError: reconnectOnReadOnly,
  } satisfies RedisOptions
}

export function sentinelOptions(given: Timeouts) {
  return {
    ...redisOptions(given),
    // Without this, a client stays with a replaced master as long as that master keeps the connection open.
    failoverDetector: true,
    sentinelRetryStrategy: reconnectDelay,
    // This delays the connection that listens to a Sentinel. It is long because ioredis prints each failed attempt.
    sentinelReconnectStrategy: () => 10_000,
    // Without this, the client waits for ever for a Sentinel that hangs.
    sentinelCommandTimeout: 500,
  } satisfies RedisOptions
}

export function clusterOptions(given: Timeouts) {
  return {
    clusterRetryStrategy: reconnectDelay,
    // Otherwise pending commands are sent again to another node, although Redis may have executed them.
    retryDelayOnFailover: 0,
    // Replicas may still have sessions that have just been ended.
    scaleReads: 'master',
    // ioredis follows a redirection only if all commands of a batch get it. While slots move, batches would fail.
    enableAutoPipelining: false,
    redisOptions: connectionOptions(given),
  } satisfies ClusterOptions
}
