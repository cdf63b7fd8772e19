import { type CommandInternals, type Ioredis, internalsOf, isCluster } from '../clients/ioredis/internals.js'
import { fairCommandTimeout, fairSocketTimeout } from './fair-timeouts.js'

/** Commands that ioredis sends by itself after a reconnect. Nobody handles their errors. */
const SENT_AGAIN: ReadonlySet<string> = new Set(['subscribe', 'psubscribe', 'ssubscribe', 'select'])

export interface FailFast {
  /** Milliseconds for which a command may wait for the first connection. */
  patienceMs: number
  /** Whether to switch the offline queue on and off. False if the application has set it. */
  queue: boolean
  /** Whether pending commands fail when their connection is lost. */
  underWay: boolean
}

/**
 * Lets commands wait for a connection only while the client connects for the first time, and for at most `patienceMs`.
 * Afterwards, a command without a connection fails at once, and pending commands fail when the connection is lost. So
 * commands do not pile up during an outage, and none reaches Redis afterwards.
 *
 * The offline queue of ioredis cannot do this. It is always on or always off: off, the first requests after a start
 * fail; on, it has no limit.
 */
export function failFast<C extends Ioredis>(client: C, { patienceMs, queue, underWay }: FailFast): C {
  if (queue) queueUntilReady(client, patienceMs)
  failOnClose(client, { offlineQueue: queue, commandQueue: underWay })
  prepareCommands(internalsOf(client))
  if (isCluster(client)) client.on('+node', fairSocketTimeout)
  else fairSocketTimeout(client)
  return client
}

/** Keeps the offline queue on until the client is ready for the first time, but for at most `patienceMs`. */
function queueUntilReady(client: Ioredis, patienceMs: number): void {
  const internals = internalsOf(client)
  let hasBeenReady = false
  let impatientFrom = Number.POSITIVE_INFINITY

  client.once('connecting', () => {
    impatientFrom = performance.now() + patienceMs
    // The callers have timed out by then, but a Cluster or a client of Sentinels would keep the commands.
    setTimeout(() => {
      if (!hasBeenReady) {
        internals.flushQueue?.(new Error('Redis is not connected'), { offlineQueue: true, commandQueue: false })
      }
    }, patienceMs).unref()
  })
  client.once('ready', () => {
    hasBeenReady = true
  })
  Object.defineProperty(client.options, 'enableOfflineQueue', {
    configurable: true,
    enumerable: true,
    get: () =>
      // A ready Cluster queues nothing itself, but without the queue a node that is still connecting refuses commands.
      (!hasBeenReady && performance.now() < impatientFrom) || (isCluster(client) && client.status === 'ready'),
  })
}

/** Fails the commands in these queues when the connection is lost. */
function failOnClose(client: Ioredis, queues: { offlineQueue: boolean; commandQueue: boolean }): void {
  const internals = internalsOf(client)
  let isReady = false

  client.on('ready', () => {
    isReady = true
  })
  client.on('close', () => {
    // ioredis 5 does not clear this timer, which would end the next connection.
    clearTimeout(internals.socketTimeoutTimer)
    internals.socketTimeoutTimer = undefined
    // With `autoResendUnfulfilledCommands: false`, ioredis never settles these commands.
    if (isReady) internals.flushQueue?.(new Error('The connection to Redis was lost'), queues)
    isReady = false
  })
}

function prepareCommands(client: CommandInternals): void {
  const send = client.sendCommand
  client.sendCommand = (command, ...rest) => {
    // An unhandled rejection would end the process if Redis fails while ioredis subscribes again.
    if (SENT_AGAIN.has(command.name)) command.promise.catch(() => undefined)
    fairCommandTimeout(command)
    return send?.call(client, command, ...rest)
  }
}
