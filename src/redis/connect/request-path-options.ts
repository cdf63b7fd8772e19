import type { ClusterOptions, RedisOptions } from 'ioredis'

/**
 * What a client has to be set to if visitors wait for it. ioredis's own defaults are made for jobs in the background: they
 * wait for minutes, keep any number of commands meanwhile, and send again what may have been carried out.
 * docs/operations.md has the same as a table.
 */

const COMMAND_TIMEOUT_MS = 1000

/** 50, 100, 200, ... 1000 milliseconds between attempts, without an end: nobody has to restart the application. */
export function reconnectDelay(times: number): number {
  return Math.min(50 * 2 ** Math.min(times - 1, 10), 1000)
}

/**
 * The Redis we are connected to has become a replica: look again for the master. 1 stands for "reconnect", 2 would send
 * the command a second time.
 */
function reconnectOnReadOnly(err: Error): 1 | false {
  return err.message.startsWith('READONLY') ? 1 : false
}

/** The part of the caller's options that others have to fit. */
type Timeouts = Pick<RedisOptions, 'commandTimeout'>

/** Of each connection, in a Cluster too. */
export function connectionOptions({ commandTimeout = COMMAND_TIMEOUT_MS }: Timeouts) {
  return {
    commandTimeout,
    // Nothing at all has come for so long: the connection is dead, or the server hangs. A single slow command is not it.
    socketTimeout: 2 * commandTimeout,
    connectTimeout: 2000,
    // How long a connection that is given up may take to close. A server that hangs never closes it.
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
    // What the store sends at every request it batches itself (cork.ts), for half the time.
    autoPipeliningIgnoredCommands: ['HGETALL', 'hgetall', 'evalsha', 'hmget'],
    retryStrategy: reconnectDelay,
    reconnectOnError: reconnectOnReadOnly,
  } satisfies RedisOptions
}

export function sentinelOptions(given: Timeouts) {
  return {
    ...redisOptions(given),
    // Without it, a client stays with a master that has been replaced for as long as that master keeps the connection open.
    failoverDetector: true,
    sentinelRetryStrategy: reconnectDelay,
    // For listening to a Sentinel that has gone away; ioredis prints each attempt that fails.
    sentinelReconnectStrategy: () => 10_000,
    // A Sentinel that hangs would be waited for without an end.
    sentinelCommandTimeout: 500,
  } satisfies RedisOptions
}

export function clusterOptions(given: Timeouts) {
  return {
    clusterRetryStrategy: reconnectDelay,
    // Otherwise what was under way is sent again, to another node, although it may have been carried out.
    retryDelayOnFailover: 0,
    // Replicas serve sessions that have been ended a moment ago.
    scaleReads: 'master',
    // ioredis follows a redirection of a batch only if it concerns all of it: while slots move, the others would be errors.
    enableAutoPipelining: false,
    redisOptions: connectionOptions(given),
  } satisfies ClusterOptions
}
