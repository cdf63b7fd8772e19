import { isCluster, type RedisClient, type RedisNode } from './client.js'
import { streamOf } from './clients/ioredis-internals.js'

/**
 * Options that differ from those of the client. The connection does not reconnect: its owner replaces it once it is
 * lost. Versions of ioredis that do not know an option ignore it.
 */
const ONE_USE = {
  // With RESP2, every version of ioredis passes on the messages of Redis.
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
  // A server that hangs never closes its side of the connection.
  disconnectTimeout: 200,
}

/**
 * Makes an additional connection with the current options of the client, including those that the application has
 * changed since (a password, a host). Call `connect()` to open it.
 *
 * @param node the client itself, or one node of a Cluster
 */
export function connectionBeside(client: RedisClient, node: RedisNode): RedisNode {
  const beside = node.duplicate({ ...ONE_USE, ...sharedOptions(client) } as object)
  // This connection alone must not keep the process alive.
  beside.on('connect', () => streamOf(beside)?.unref?.())
  return beside
}

/** In a Cluster, a node keeps the options with which it was connected. Take the current ones of the client instead. */
function sharedOptions(client: RedisClient): object {
  if (!isCluster(client)) return {}
  const { redisOptions = {} } = client.options
  const shared = SHARED.map((name) => [name, redisOptions[name]] as const)
  return Object.fromEntries(shared.filter(([, value]) => value !== undefined))
}

const SHARED = ['username', 'password', 'tls'] as const
