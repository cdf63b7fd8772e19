import type { Redis } from 'ioredis'

interface Bookkeeping {
  /** Milliseconds since 1970. */
  createdAt?: number
  idleMs?: number
  saves?: number
  flags?: string
}

/** The text of the `@` field, as docs/storage.md describes it. */
export function bookkeeping({ createdAt = Date.now(), idleMs = 86_400_000, saves = 1, flags = '' }: Bookkeeping = {}) {
  const numbers = [BigInt(createdAt) * 1000n, 0, idleMs, saves].map((n) => n.toString(36))
  return [...numbers, flags].join(' ').trimEnd()
}

/** Writes fields straight into Redis, behind the store's back, with a TTL. */
export async function writeHash(client: Redis, key: string, fields: readonly (readonly [string, string])[]) {
  await client
    .multi()
    .del(key)
    .hset(key, ...fields.flat())
    .expire(key, 86_400)
    .exec()
}
