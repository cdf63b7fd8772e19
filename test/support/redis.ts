import { randomBytes } from 'node:crypto'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import * as ioredis5 from 'ioredis5'
import * as lowest from 'ioredis5-lowest'
import * as iovalkey from 'iovalkey'
import { leaveSentinels } from '../../src/redis/clients/ioredis/leave-sentinels.js'
import { topology } from './topology.js'

/** Client options. `replyMapping` is excluded because it changes the type of the client. */
type Options = Omit<RedisOptions, 'replyMapping'>

/** Path of the Unix socket of this worker's Redis. */
export function socketPath(): string {
  const path = process.env.TEST_REDIS_SOCKET
  if (!path) throw new Error('no Redis for this run: start the tests with `npm test`')
  return path
}

/**
 * Makes a client. A Cluster client also has the type Redis here: tests use only what both have, and what `ofCluster` adds.
 */
export const connect = connectWith({ Redis, Cluster })
/** Makes a client of ioredis 5. */
export const connect5 = connectWith(ioredis5)
/** Makes a client of the oldest supported version of ioredis. */
export const connectLowest = connectWith(lowest)
/** Makes a client of iovalkey, Valkey's fork of ioredis. */
export const connectValkey = connectWith(iovalkey)

function connectWith(library: object): (options?: Options) => Redis {
  const { Redis: AsRedis, Cluster: AsCluster } = library as { Redis: typeof Redis; Cluster: typeof Cluster }
  return (options = {}) => {
    if (topology.nodes !== undefined) return ofCluster(new AsCluster(topology.nodes, clusterOptions(options)))
    if (topology.sentinels === undefined) return quitting(new AsRedis(socketPath(), options))
    const client = new AsRedis({ ...topology, failoverDetector: true, ...options } as never)
    // As stores do with their clients: a file that gives this one to no store has to end, too.
    leaveSentinels(client)
    return quitting(client)
  }
}

/** A connection that is closed before Redis has answered QUIT has ended as well. */
function quitting(client: Redis): Redis {
  const { quit } = client
  const end = () => quit.call(client).catch((err) => (client.status === 'end' ? 'OK' : Promise.reject(err)))
  return Object.assign(client, { quit: end })
}

function clusterOptions({
  keyPrefix = '',
  lazyConnect = false,
  enableOfflineQueue = true,
  ...redisOptions
}: Options): object {
  return { redisOptions, keyPrefix, lazyConnect, enableOfflineQueue }
}

/** Makes commands that Redis runs on one node only run on all nodes. */
function ofCluster(cluster: Cluster): Redis {
  const { call, del, exists, quit, disconnect } = cluster
  const onEach = async <T>(work: (node: Redis) => Promise<T>) => {
    await cluster.ping()
    return Promise.all(cluster.nodes('master').map(work))
  }
  // A client may not know a replica yet: Redis does not name those that have replicated nothing so far.
  let all: Redis[] | undefined
  const onAll = <T>(work: (node: Redis) => Promise<T>) => {
    all ??= topology.nodes?.map((node) => new Redis(node)) ?? []
    return Promise.all(all.map(work))
  }
  const leaveAll = () => {
    for (const node of all ?? []) node.disconnect()
  }
  return Object.assign(cluster as unknown as Redis, {
    keys: async (pattern: string) => (await onEach((node) => node.keys(pattern))).flat(),
    // A subscriber is connected to one node, which gets the messages of all.
    pubsub: async (...args: unknown[]) => {
      const replies = await onAll((node) => node.pubsub(...(args as ['NUMSUB', string])))
      return [args[1], replies.reduce((sum: number, reply) => sum + Number((reply as unknown[])[1] ?? 0), 0)]
    },
    call: (name: string, ...args: string[]) =>
      /^(acl|client)$/i.test(name) ? onAll((node) => node.call(name, ...args)) : call.call(cluster, name, ...args),
    acl: (...args: unknown[]) => onEach((node) => node.call('ACL', ...(args as string[]))),
    quit: () => {
      leaveAll()
      return quit.call(cluster)
    },
    disconnect: (reconnect?: boolean) => {
      leaveAll()
      disconnect.call(cluster, reconnect)
    },
    del: (...keys: (string | string[])[]) => counted(keys.flat(), (key) => del.call(cluster, key as never)),
    exists: (...keys: (string | string[])[]) => counted(keys.flat(), (key) => exists.call(cluster, key as never)),
  })
}

async function counted(keys: string[], count: (key: string) => Promise<number>): Promise<number> {
  const counts = await Promise.all(keys.map(count))
  return counts.reduce((sum, one) => sum + one, 0)
}

/** Makes a prefix that no other test uses, so that test files can share one Redis. */
export function freshPrefix(): string {
  return `t${randomBytes(6).toString('hex')}:`
}
