import type { Cluster } from 'ioredis'
import { SessionStoreError } from '../errors.js'
import type { RedisNode } from './client.js'

/**
 * Every master that serves slots, as the Cluster says now. What ioredis knows can be old: a client that has sent nothing to a
 * master since it was replaced, or got its slots, would leave out all that the new one holds.
 */
export async function clusterMasters(cluster: Cluster): Promise<RedisNode[]> {
  await new Promise<void>((resolve, reject) => {
    cluster.refreshSlotsCache((err) => (err ? reject(err) : resolve()))
  })
  const nodes = new Map(cluster.nodes('master').map((node) => [`${node.options.host}:${node.options.port}`, node]))
  const owners = new Set(cluster.slots.map((keys) => keys[0] as string))
  return [...owners].map((owner) => {
    const node = nodes.get(owner)
    if (node === undefined)
      throw new SessionStoreError('ERR_SESSION_UNAVAILABLE', 'a master of the Cluster is not known')
    return node
  })
}

/** What each master says of its own slots, those included that it is about to give away or to get. */
export async function ownSlots(nodes: readonly RedisNode[]): Promise<string[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const lines = String(await node.cluster('NODES')).split('\n')
      const own = lines.find((line) => / (\w+,)*myself[, ]/.test(line)) ?? ''
      return own.trim().split(' ').slice(8).join(' ')
    }),
  )
}

/** `[93->-…]` is a slot that is moving. */
export function haveMoved(before: readonly string[], after: readonly string[]): boolean {
  return after.some((slots, i) => slots !== before[i] || slots.includes('['))
}
