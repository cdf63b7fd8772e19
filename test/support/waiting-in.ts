import type { Cluster, Redis } from 'ioredis'

/** How many commands an ioredis client keeps: those that wait for a connection, and those that wait for an answer. */
export function waitingIn(client: Redis | Cluster): number {
  const { offlineQueue, commandQueue } = client as unknown as Record<string, { length: number } | undefined>
  return (offlineQueue?.length ?? 0) + (commandQueue?.length ?? 0)
}
