import { Cluster, Redis, type RedisOptions } from 'ioredis'
import * as ioredis5 from 'ioredis5'
import * as iovalkey from 'iovalkey'
import { createClient, createCluster, createSentinel } from 'redis'

/*
 * Clients of another library with the address and the options of a client of ioredis 6, for `npm run test:node-redis`,
 * `test:iovalkey` and `test:ioredis5`.
 */

type Given = Redis | Cluster
/** What all these clients have in common. */
type Sibling = { on(event: 'error', listener: () => void): unknown }

const MAKE: Readonly<Record<string, (given: Given) => Sibling>> = {
  ioredis5: (given) => ofSameKind(given, ioredis5 as never),
  iovalkey: (given) => ofSameKind(given, iovalkey as never),
  'node-redis': ofNodeRedis,
}

const made = new WeakMap<Given, Sibling>()

/**
 * Whether a store gets a sibling of it: not of a client that the test has made of a library of its own choice, nor of
 * one with a name, which the test uses itself.
 */
export function isOfTests(client: unknown): client is Given {
  if (client instanceof Cluster) return client.options.redisOptions?.connectionName == null
  return client instanceof Redis && client.options.connectionName == null
}

/** Returns the sibling of a client, one for all stores on it. It ends when the client does. */
export function siblingOf(client: Given): Sibling {
  const known = made.get(client)
  if (known !== undefined) return known
  const sibling = (MAKE[process.env.TEST_CLIENT as string] as (given: Given) => Sibling)(client)
  made.set(client, sibling)
  sibling.on('error', () => {})
  return sibling
}

function ofSameKind(given: Given, library: { Redis: typeof Redis; Cluster: typeof Cluster }): Sibling {
  const sibling = given.isCluster
    ? new library.Cluster(startupNodesOf(given as Cluster) as never, (given as Cluster).options as never)
    : new library.Redis((given as Redis).options as never)
  leadSideConnections(given, sibling, (address, changed) => new library.Redis({ ...address, ...changed } as never))
  // The test has connected a client that does so at its first command.
  if (sibling.status === 'wait' && given.status !== 'wait') void sibling.connect().catch(() => undefined)
  given.once('end', () => sibling.disconnect())
  return sibling
}

function startupNodesOf(cluster: object): ({ host: string; port: number } | string | number)[] {
  return (cluster as { startupNodes: [] }).startupNodes
}

/** Where a test has led the side connections of its client elsewhere, those of the sibling go there, too. */
function leadSideConnections(
  given: Given,
  sibling: object,
  make: (address: RedisOptions, changed: object) => unknown,
): void {
  if (!Object.hasOwn(given, 'duplicate')) return
  const duplicate = (changed: object) => make((given as Redis).duplicate({ lazyConnect: true }).options, changed)
  Object.assign(sibling, { duplicate })
}

function ofNodeRedis(given: Given): Sibling {
  const client = given.isCluster ? ofCluster(given as Cluster) : ofOne((given as Redis).options)
  const { duplicate } = client as { duplicate(changed: object): unknown }
  leadSideConnections(given, client, (address, { socket, ...changed }: { socket?: object }) =>
    duplicate.call(client, { ...changed, socket: { ...socket, ...whereOf(address) } }),
  )
  if (!isKeptAway(given)) void client.connect().catch(() => undefined)
  given.once('end', () => void client.destroy())
  return client as Sibling
}

/** Whether the test has made a client that never connects, to have a Redis that is away. */
function isKeptAway({ options: { lazyConnect, enableOfflineQueue } }: Given): boolean {
  return lazyConnect === true && enableOfflineQueue === false
}

const SOCKET = { connectTimeout: 2000, reconnectStrategy: (retries: number) => Math.min(20 * 2 ** retries, 500) }
const QUEUE = { commandsQueueMaxLength: 1_000_000 }

function ofOne(given: RedisOptions) {
  const { sentinels, name, db, keyPrefix, username, password } = given
  const login = {
    ...(username != null && { username }),
    ...(password != null && { password }),
    ...QUEUE,
    database: db ?? 0,
  }
  const prefix = keyPrefix ? { keyPrefix } : {}
  if (sentinels != null) {
    const sentinelRootNodes = sentinels.map((one) => ({ host: one.host ?? '127.0.0.1', port: one.port ?? 26_379 }))
    return createSentinel({
      name: name as string,
      sentinelRootNodes,
      nodeClientOptions: { ...login, socket: SOCKET },
      // A Sentinel that hangs is given up.
      sentinelClientOptions: { pingInterval: 300, socket: { connectTimeout: 1000, socketTimeout: 1000 } },
      ...prefix,
    })
  }
  return createClient({ ...login, ...prefix, socket: { ...whereOf(given), ...SOCKET } })
}

function whereOf({ host, port, path }: RedisOptions) {
  return path == null ? { host: host ?? '127.0.0.1', port: port ?? 6379 } : { path, tls: false as const }
}

function ofCluster(cluster: Cluster) {
  const { redisOptions: { username, password, keyPrefix: ofNodes } = {}, keyPrefix = ofNodes, natMap } = cluster.options
  const rootNodes = startupNodesOf(cluster).map((node) => {
    const { host, port } = typeof node === 'object' ? node : { host: '127.0.0.1', port: Number(node) }
    return { socket: { host, port, ...SOCKET } }
  })
  return createCluster({
    rootNodes,
    defaults: { ...QUEUE, ...(username && { username }), ...(password && { password }), socket: SOCKET },
    ...(natMap && { nodeAddressMap: natMap as Record<string, { host: string; port: number }> }),
    ...(keyPrefix && { keyPrefix }),
  })
}
