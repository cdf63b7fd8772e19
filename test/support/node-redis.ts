import { createClient, createCluster, createSentinel } from 'redis'
import * as redis5 from 'redis5'
import { socketPath } from './redis.js'
import { topology } from './topology.js'

/** Any client of node-redis: what tests need of it. */
export interface NodeRedis {
  readonly isOpen: boolean
  connect(): Promise<unknown>
  close(): Promise<unknown>
  destroy(): unknown
  on(event: string, listener: (...args: never[]) => void): unknown
  sendCommand(...args: never[]): Promise<unknown>
  withTypeMapping(...args: never[]): unknown
}

/** Settings that do no harm, and a client that is back soon. */
export const SETTINGS = { commandsQueueMaxLength: 100_000 }
export const SOCKET = { connectTimeout: 2000, reconnectStrategy: (retries: number) => Math.min(20 * 2 ** retries, 500) }

type Library = Pick<typeof redis5, 'createClient' | 'createCluster' | 'createSentinel'>
const redis6 = { createClient, createCluster, createSentinel } as unknown as Library

/** Makes a client of node-redis 6 on the Redis of this test run, and connects it; commands wait until it is. */
export const connectNodeRedis = connectWith(redis6)
/** Makes one of node-redis 5. */
export const connectNodeRedis5 = connectWith(redis5)

function connectWith(library: Library): (options?: object) => NodeRedis {
  return (options = {}) => {
    const { keyPrefix, ...others } = options as { keyPrefix?: string }
    const prefix = keyPrefix === undefined ? {} : { keyPrefix }
    const client = unconnected(library, others, prefix) as unknown as NodeRedis
    client.on('error', () => {})
    void client.connect().catch(() => undefined)
    return client
  }
}

function unconnected(library: Library, options: object, prefix: object) {
  const { nodes, sentinels, name = '' } = topology
  if (nodes !== undefined) {
    const defaults = { ...SETTINGS, socket: SOCKET, ...options } as never
    return library.createCluster({ rootNodes: nodes.map((socket) => ({ socket })), defaults, ...options, ...prefix })
  }
  if (sentinels !== undefined) {
    const nodeClientOptions = { ...SETTINGS, socket: SOCKET, ...options } as never
    return library.createSentinel({ name, sentinelRootNodes: sentinels, nodeClientOptions, ...options, ...prefix })
  }
  return library.createClient({
    ...SETTINGS,
    socket: { path: socketPath(), tls: false, ...SOCKET },
    ...options,
    ...prefix,
  })
}
