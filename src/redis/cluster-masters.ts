import { SessionStoreError } from '../errors.js'
import type { Client, Server } from './client.js'

/**
 * Asks the Cluster for every master that serves slots. What the client has cached may be outdated: if it has sent
 * nothing to a master since the master was replaced, all keys of the new one would be missed.
 */
export async function clusterMasters(cluster: Client): Promise<Server[]> {
  await cluster.refresh()
  const nodes = new Map(cluster.masters().map((node) => [node.address, node]))
  return [...cluster.owners()].map((owner) => {
    const node = nodes.get(owner)
    if (node === undefined)
      throw new SessionStoreError('ERR_SESSION_UNAVAILABLE', 'a master of the Cluster is not known')
    return node
  })
}

/** Asks each master for its own slots, including those that are migrating or being imported. */
export async function ownSlots(nodes: readonly Server[]): Promise<string[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const lines = String(await node.ask('cluster', 'NODES')).split('\n')
      const own = lines.find((line) => / (\w+,)*myself[, ]/.test(line)) ?? ''
      return own.trim().split(' ').slice(8).join(' ')
    }),
  )
}

/** Whether slots have moved or are moving; `[93->-…]` is a moving slot. */
export function haveMoved(before: readonly string[], after: readonly string[]): boolean {
  return after.some((slots, i) => slots !== before[i] || slots.includes('['))
}
