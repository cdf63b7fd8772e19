import type { Redis } from 'ioredis'

/**
 * Lets so much time pass for the sessions that have ended, or are to end: what comes due within it is due, and who has
 * claimed one within it has given up.
 */
export async function hasten(client: Redis, prefix: string, ms = 60_000): Promise<void> {
  for (const queue of await client.keys(`idx:${prefix}@ends:*`)) {
    for (const id of await client.zrange(queue, '0', '-1')) await client.zincrby(queue, -ms, id)
  }
  for (const key of await client.keys(`${prefix}*`)) {
    if ((await client.type(key)) !== 'hash') continue
    const [reason, at, claimed = ''] = ((await client.hget(key, '@end')) ?? '').split(' ')
    if (claimed === '') continue
    const left = Math.max(0, Number.parseInt(claimed, 36) - ms)
    await client.hset(key, '@end', `${reason} ${at} ${left.toString(36)}`)
  }
}
