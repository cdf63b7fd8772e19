import { isCluster, type RedisClient, type RedisNode } from './client.js'
import { streamOf } from './clients/ioredis-internals.js'

/**
 * What differs from the connection whose copy it is. It is made for one use: once lost, another one takes its place. Versions
 * of ioredis that do not know an option ignore it.
 */
const ONE_USE = {
  // Messages of Redis arrive with it in every version of ioredis.
  protocol: 2,
  replyMapping: undefined,
  lazyConnect: true,
  retryStrategy: null,
  enableReadyCheck: false,
  enableAutoPipelining: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  failoverDetector: false,
  monitor: false,
  keyPrefix: '',
  // A server that hangs never closes its end.
  disconnectTimeout: 200,
}

/**
 * A connection beside the client's own, to where that would connect now: what the application has changed in `client.options`
 * since the client was made (a password, a host) counts. It is connected by `connect()`.
 *
 * @param node the client itself, or one node of a Cluster
 */
export function connectionBeside(client: RedisClient, node: RedisNode): RedisNode {
  const beside = node.duplicate({ ...ONE_USE, ...sharedOptions(client) } as object)
  // Alone, it is no reason for the process to go on.
  beside.on('connect', () => streamOf(beside)?.unref?.())
  return beside
}

/** In a Cluster, a node that is connected still has what it has connected with, which may count no more. */
function sharedOptions(client: RedisClient): object {
  if (!isCluster(client)) return {}
  const { redisOptions = {} } = client.options
  const shared = SHARED.map((name) => [name, redisOptions[name]] as const)
  return Object.fromEntries(shared.filter(([, value]) => value !== undefined))
}

const SHARED = ['username', 'password', 'tls'] as const
