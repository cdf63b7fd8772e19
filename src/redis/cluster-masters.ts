import type { Cluster } from 'ioredis'
import { SessionStoreError } from '../errors.js'
import type { RedisNode } from './client.js'

/**
 * Asks the Cluster for every master that serves slots. What ioredis has cached may be outdated: if it has sent nothing
 * to a master since the master was replaced, all keys of the new one would be missed.
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

/** Asks each master for its own slots, including those that are migrating or being imported. */
export async function ownSlots(nodes: readonly RedisNode[]): Promise<string[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const lines = String(await node.cluster('NODES')).split('\n')
      const own = lines.find((line) => / (\w+,)*myself[, ]/.test(line)) ?? ''
      return own.trim().split(' ').slice(8).join(' ')
    }),
  )
}

/** Whether slots have moved or are moving; `[93->-…]` is a moving slot. */
export function haveMoved(before: readonly string[], after: readonly string[]): boolean {
  return after.some((slots, i) => slots !== before[i] || slots.includes('['))
}
