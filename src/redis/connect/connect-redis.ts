// An application without ioredis does not need its types to compile: they are `any` there.
// biome-ignore lint/suspicious/noTsIgnore: the compiler keeps only this kind of comment, and where ioredis is, there is no error
/** @ts-ignore */
import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import { isPlainObject } from '../../hash/plain-object.js'
import { isThenable } from '../../hash/serializer.js'
import { isRedisClient } from '../clients/client-of.js'
import { type Ioredis, internalsOf } from '../clients/ioredis/internals.js'
import { leaveSentinels } from '../clients/ioredis/leave-sentinels.js'
import type { GetCredentials } from './credentials.js'
import { CurrentCredentials } from './current-credentials.js'
import { failFast } from './fail-fast.js'
import { keepReconnecting } from './keep-reconnecting.js'
import { library } from './library.js'
import { parseNode, parseUrl } from './redis-url.js'
import {
  clusterOptions,
  connectionOptions,
  reconnectDelay,
  redisOptions,
  sentinelOptions,
} from './request-path-options.js'

/** Options of an ioredis client. They take precedence over the settings of `connectRedis`. */
export type ConnectRedisOptions = Omit<RedisOptions, 'replyMapping'> & CredentialsOption

/** Options of an ioredis Cluster client. They take precedence over the settings of `connectRedis`. */
export type ConnectClusterOptions = Omit<ClusterOptions, 'redisOptions'> & {
  /** Options of the connections to the nodes. */
  redisOptions?: Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'>
} & CredentialsOption

interface CredentialsOption {
  /**
   * Returns `{ username, password, expiresAt }` for credentials that change, such as tokens of IAM or Entra. The client
   * calls it before each attempt to connect. If it returns an `expiresAt` (a Date, or milliseconds since 1970), the
   * client calls it again when three quarters of that time are over, and the open connections log in anew. Replaces
   * `username` and `password`.
   */
  credentials?: GetCredentials
}

/**
 * Makes an ioredis client whose settings suit web requests: every command is answered or fails within `commandTimeout`
 * (default 1000 milliseconds), commands fail at once while there is no connection, and no command is sent twice. The
 * client never stops reconnecting, and connects at most a second after Redis is back. docs/operations.md explains every
 * setting.
 *
 * Close the client yourself. Listen to its `error` event, otherwise ioredis prints every failed attempt.
 *
 * @param where `redis://` or `rediss://` URL, or the path of a Unix socket
 * @throws TypeError that says what is wrong. It does not contain the URL, which may have a password.
 */
export function connectRedis(where: string, options?: ConnectRedisOptions): Redis
/** @param options options of ioredis, e.g. `{ host, port }`, or `{ sentinels: [{ host, port }], name }` */
export function connectRedis(options: ConnectRedisOptions): Redis
/** @param nodes URLs or `{ host, port }` of some nodes of a Cluster, which know the others */
export function connectRedis(nodes: readonly ClusterNode[], options?: ConnectClusterOptions): Cluster
export function connectRedis(
  where: string | ConnectRedisOptions | readonly ClusterNode[],
  options: ConnectRedisOptions | ConnectClusterOptions = {},
): Ioredis {
  if (!isPlain(options))
    throw new TypeError('connectRedis(where, options): options must be an object of ioredis options')
  if (Array.isArray(where)) return connectCluster(where, options as ConnectClusterOptions)
  if (isRedisClient(where)) throw new TypeError('connectRedis makes a client: pass where to connect to, not a client')
  if (typeof where !== 'string' && !isPlain(where))
    throw new TypeError(`connectRedis takes ${WHERE}, not ${kindOf(where)}`)
  const given = { ...(typeof where === 'string' ? parseUrl(where) : where), ...known(options) } as ConnectRedisOptions
  checkCredentials(given, given)
  return connectOne(given)
}

function connectOne(given: ConnectRedisOptions): Redis {
  for (const [name, instead] of Object.entries(NO_OPTIONS)) {
    if (Object.hasOwn(given, name)) throw new TypeError(`connectRedis has no option "${name}": ${instead}`)
  }
  const { sentinels, name } = given as { sentinels?: unknown; name?: unknown }
  const isSentinel = sentinels !== undefined && sentinels !== null
  if (isSentinel && !(Array.isArray(sentinels) && sentinels.length > 0 && sentinels.every(isPlain))) {
    throw new TypeError('"sentinels" must be a list of { host, port }, with at least one of them')
  }
  if (isSentinel && !(typeof name === 'string' && name !== '')) {
    throw new TypeError(
      '"name" must be the name by which the Sentinels know the master: { sentinels, name: \'mymaster\' }',
    )
  }
  const defaults = isSentinel ? sentinelOptions(known(given)) : redisOptions(known(given))
  const { credentials, ...options }: ConnectRedisOptions = { ...defaults, ...known(given) }
  if (credentials !== undefined) options.lazyConnect = true
  const client = new (library('connectRedis').Redis)(options)
  leaveSentinels(client)
  const changes = changesOf(client.options)
  // ioredis's own method would copy the current `enableOfflineQueue`, so the new client's first commands would fail.
  client.duplicate = ((others: ConnectRedisOptions = {}) =>
    connectOne({ ...given, ...changes(client.options), ...others })) as Redis['duplicate']
  keepReconnecting(failFast(client, failFastOptions(options, given)), reconnectDelay)
  if (credentials !== undefined) {
    CurrentCredentials.of(credentials).use(client)
    if (given.lazyConnect !== true) client.connect().catch(() => undefined)
  }
  return client
}

function connectCluster(nodes: readonly unknown[], given: ConnectClusterOptions): Cluster {
  if (nodes.length === 0) throw new TypeError('connectRedis needs at least one node of the Cluster')
  const misplaced = Object.keys(given).find((name) => OF_CONNECTIONS.has(name))
  if (misplaced !== undefined) {
    throw new TypeError(`"${misplaced}" of a Cluster goes into redisOptions: { redisOptions: { ${misplaced} } }`)
  }
  const parsed = nodes.map(parseNode)
  // Use the first credentials for all nodes, because the addresses that the Cluster reports have none.
  const shared = parsed.find(({ credentials }) => Object.keys(credentials).length > 0)?.credentials
  const connection = { ...shared, ...known(given.redisOptions ?? {}) }
  checkCredentials(connection, given)
  const defaults = clusterOptions(connection)
  const { credentials, ...others } = known(given)
  const options = { ...defaults, ...others, redisOptions: { ...defaults.redisOptions, ...connection } }
  const addresses = parsed.map(({ address }) => address)
  const client = failFast(
    new (library('connectRedis').Cluster)(addresses, options as never),
    failFastOptions(options.redisOptions, given),
  )
  if (credentials !== undefined) client.on('+node', (node) => logInAll(node, CurrentCredentials.of(credentials)))
  shareOptions(client)
  const changes = changesOf({ ...client.options.redisOptions })
  client.duplicate = ((startNodes: readonly unknown[] = [], changed: ConnectClusterOptions = {}) => {
    const now = changes(client.options.redisOptions ?? {})
    const merged = { ...given.redisOptions, ...now, ...changed.redisOptions }
    return connectCluster(startNodes.length > 0 ? startNodes : nodes, { ...given, ...changed, redisOptions: merged })
  }) as Cluster['duplicate']
  return client
}

/** Makes a node of a Cluster, and the connections that are made from it, use these credentials. */
function logInAll(node: Redis, credentials: CurrentCredentials): void {
  credentials.use(node)
  const { duplicate } = node
  node.duplicate = (others) => {
    const isLazy = others?.lazyConnect ?? node.options.lazyConnect
    // It must not begin to connect before it uses the credentials.
    const copy = duplicate.call(node, { ...others, lazyConnect: true })
    logInAll(copy, credentials)
    if (!isLazy) copy.connect().catch(() => undefined)
    return copy
  }
}

/** @throws TypeError if two options say how to log in */
function checkCredentials(given: ConnectRedisOptions | undefined, { credentials }: CredentialsOption): void {
  if (credentials === undefined) return
  if (typeof credentials !== 'function')
    throw new TypeError('"credentials" must be a function that returns { username, password }')
  const other = (['username', 'password'] as const).find((name) => given?.[name] !== undefined)
  if (other !== undefined) throw new TypeError(`"${other}" must be left out: "credentials" returns it`)
}

function failFastOptions({ commandTimeout = 0, autoResendUnfulfilledCommands }: ConnectRedisOptions, given: object) {
  const isQueueOurs = (given as ConnectRedisOptions).enableOfflineQueue === undefined
  return { patienceMs: commandTimeout, queue: isQueueOurs, underWay: autoResendUnfulfilledCommands === false }
}

/** Makes ioredis 6 connect nodes with the client's own options instead of a copy, so that a changed password counts. */
function shareOptions(client: Cluster): void {
  const { connectionPool } = internalsOf(client)
  if (connectionPool?.redisOptions !== undefined) client.options.redisOptions = connectionPool.redisOptions
}

/** Returns a function that finds the options that have changed since, for example a password or a host. */
function changesOf(options: object): (now: object) => object {
  const before = new Map<string, unknown>(Object.entries(options))
  return (now) =>
    Object.fromEntries(
      Object.entries(now).filter(([name, value]) => name !== 'enableOfflineQueue' && value !== before.get(name)),
    )
}

/** Drops undefined options, which would otherwise override the settings of `connectRedis`. */
function known<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

/** In a promise, a URL or a Map, ioredis would see no options, and connect to localhost. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return isPlainObject(value) || Object.keys(value).length > 0
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return `${value}: is the environment variable set?`
  if (isThenable(value)) return 'a promise: await it first'
  return typeof value === 'object' ? `a ${Object.prototype.toString.call(value).slice(8, -1)}` : typeof value
}

const WHERE = "a URL ('redis://localhost:6379'), ioredis options, { sentinels, name }, or a list of Cluster nodes"

/** Options of connections, which ioredis ignores among the options of a Cluster. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  ...Object.keys(connectionOptions({})),
  ...['host', 'port', 'username', 'password', 'tls', 'connectionName'],
])

/** Options of other clients. ioredis would ignore them and connect to localhost. */
const NO_OPTIONS = {
  url: 'pass the URL itself, connectRedis(url, options)',
  socket: 'pass { host, port }',
  nodes: 'pass the list of Cluster nodes itself, connectRedis(nodes, options)',
  rootNodes: 'pass the list of Cluster nodes itself, connectRedis(nodes, options)',
  startupNodes: 'pass the list of Cluster nodes itself, connectRedis(nodes, options)',
  masterName: 'it is "name"',
  redisOptions: 'it goes with a list of Cluster nodes; here its options stand by themselves',
} as const
