import type { Client } from './client.js'
import { slotOf } from './cluster-slot.js'

/** Stands for the only Redis if there is no Cluster, and for the whole Cluster if it is not connected. */
export const WHOLE = ''
const NOBODY = 'nobody'

/** Returns `host:port` of the master that serves the key, as far as the client knows. */
export function masterOfKey(client: Client, key: string): string {
  if (!client.isCluster || !client.isReady) return WHOLE
  return client.ownerOf(slotOf(client.keyPrefix + key)) ?? NOBODY
}
