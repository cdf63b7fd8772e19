import type { Redis } from 'ioredis'

/**
 * Lets the time pass after which other processes look at sessions that have ended: all that is to come in the queues is
 * due, and whoever has claimed one has given up.
 */
export async function hasten(client: Redis, prefix: string): Promise<void> {
  for (const queue of await client.keys(`idx:${prefix}@ends:*`)) {
    for (const id of await client.zrange(queue, '0', '-1')) {
      await client.zadd(queue, 'XX', '0', id)
      const end = await client.hget(prefix + id, '@end')
      if (end !== null) await client.hset(prefix + id, '@end', end.replace(/\w+$/, '0'))
    }
  }
}
