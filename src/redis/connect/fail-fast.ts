import { isCluster, type RedisClient } from '../client.js'
import { type CommandInternals, internalsOf } from '../clients/ioredis-internals.js'
import { fairCommandTimeout, fairSocketTimeout } from '../fair-timeouts.js'

/** What ioredis sends by itself when it has connected again, without anybody to catch that it failed. */
const SENT_AGAIN: ReadonlySet<string> = new Set(['subscribe', 'psubscribe', 'ssubscribe', 'select'])

export interface FailFast {
  /** Milliseconds that a command may wait for the first connection. */
  patienceMs: number
  /** Whether the offline queue is ours to switch. */
  queue: boolean
  /** Whether commands under way are to fail when their connection is lost. */
  underWay: boolean
}

/**
 * Commands wait for a connection only while the client connects for the first time, and for at most `patienceMs`. From then
 * on, what comes while there is no connection fails at once, and what was under way fails when the connection is lost:
 * nothing piles up in the process during an outage, and nothing of it reaches Redis afterwards.
 *
 * ioredis alone knows an offline queue that is on or off for good: off, the first requests after a start fail; on, it has
 * no limit.
 */
export function failFast<C extends RedisClient>(client: C, { patienceMs, queue, underWay }: FailFast): C {
  const internals = internalsOf(client)
  let hasBeenReady = false
  let isReady = false
  let impatientFrom = Number.POSITIVE_INFINITY

  client.once('connecting', () => {
    impatientFrom = performance.now() + patienceMs
    if (!queue) return
    // What has waited so long was given up by its caller: a Cluster and a client of Sentinels would keep it.
    setTimeout(() => {
      if (!hasBeenReady) {
        internals.flushQueue?.(new Error('Redis is not connected'), { offlineQueue: true, commandQueue: false })
      }
    }, patienceMs).unref()
  })
  client.on('ready', () => {
    isReady = true
    hasBeenReady = true
  })
  client.on('close', () => {
    // ioredis 5 would let it end the next connection.
    clearTimeout(internals.socketTimeoutTimer)
    internals.socketTimeoutTimer = undefined
    // With `autoResendUnfulfilledCommands: false` ioredis forgets them, and their callers wait for the timeout.
    if (isReady) {
      internals.flushQueue?.(new Error('The connection to Redis was lost'), {
        offlineQueue: queue,
        commandQueue: underWay,
      })
    }
    isReady = false
  })
  prepareCommands(internals)
  if (isCluster(client)) client.on('+node', fairSocketTimeout)
  else fairSocketTimeout(client)
  if (queue) {
    Object.defineProperty(client.options, 'enableOfflineQueue', {
      configurable: true,
      enumerable: true,
      get: () =>
        // A Cluster that is ready queues nothing itself, but would refuse commands to a node that it still connects to.
        (!hasBeenReady && performance.now() < impatientFrom) || (isCluster(client) && client.status === 'ready'),
    })
  }
  return client
}

function prepareCommands(client: CommandInternals): void {
  const send = client.sendCommand
  client.sendCommand = (command, ...rest) => {
    // A process must not end because a connection was lost, or Redis hung, while ioredis subscribed again.
    if (SENT_AGAIN.has(command.name)) command.promise.catch(() => undefined)
    fairCommandTimeout(command)
    return send?.call(client, command, ...rest)
  }
}
