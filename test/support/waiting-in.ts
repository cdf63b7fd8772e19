import type { Cluster, Redis } from 'ioredis'

/** Counts the commands of an ioredis client that wait for a connection or for a reply. */
export function waitingIn(client: Redis | Cluster): number {
  const { offlineQueue, commandQueue } = client as unknown as Record<string, { length: number } | undefined>
  return (offlineQueue?.length ?? 0) + (commandQueue?.length ?? 0)
}
