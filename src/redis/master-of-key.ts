import { isCluster, keyPrefixOf, type RedisClient } from './client.js'
import { slotOf } from './cluster-slot.js'

/** Stands for the only Redis if there is no Cluster, and for the whole Cluster if it is not connected. */
export const WHOLE = ''
const NOBODY = 'nobody'

/** Returns `host:port` of the master that serves the key, according to ioredis. */
export function masterOfKey(client: RedisClient, key: string): string {
  if (!isCluster(client) || client.status !== 'ready') return WHOLE
  return client.slots[slotOf(keyPrefixOf(client) + key)]?.[0] ?? NOBODY
}
