import { isCluster, keyPrefixOf, type RedisClient } from './client.js'
import { slotOf } from './cluster-slot.js'

/** Stands for whatever there is: the one Redis where there is no Cluster, or a Cluster that is not connected. */
export const WHOLE = ''
const NOBODY = 'nobody'

/** `host:port` of the master that serves the key, as ioredis knows it. */
export function masterOfKey(client: RedisClient, key: string): string {
  if (!isCluster(client) || client.status !== 'ready') return WHOLE
  return client.slots[slotOf(keyPrefixOf(client) + key)]?.[0] ?? NOBODY
}
