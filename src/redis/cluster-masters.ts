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

/**
 * The slots that have moved, or are moving, between two answers of the same masters: `0-99 [93->-…]` is an answer with a
 * moving slot.
 */
export function movedSlots(before: readonly string[], after: readonly string[]): Set<number> {
  const moved = new Set<number>()
  for (const [i, text] of after.entries()) {
    // Nothing has moved nearly always, and a master has thousands of slots.
    if (text === before[i] && !text.includes('[')) continue
    const [had, has] = [slotsIn(before[i] ?? ''), slotsIn(text)]
    for (const slot of [...had, ...has]) if (had.has(slot) !== has.has(slot)) moved.add(slot)
    for (const [, slot] of `${before[i]} ${text}`.matchAll(/\[(\d+)-/g)) moved.add(Number(slot))
  }
  return moved
}

function slotsIn(text: string): Set<number> {
  const slots = new Set<number>()
  for (const range of text.split(' ').filter((one) => /^\d/.test(one))) {
    const [first = 0, last = first] = range.split('-').map(Number)
    for (let slot = first; slot <= last; slot++) slots.add(slot)
  }
  return slots
}
