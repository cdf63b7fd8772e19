import type { Redis } from 'ioredis'

const earlier = (base36: string, by: number) => (BigInt(Number.parseInt(base36, 36)) - BigInt(by)).toString(36)

/**
 * Makes a session `ms` older, as Redis's own clock sees it: when it began, when its user logged in, when its id was
 * issued and when it was bound to a device. The TTL of its key stays. Do not use this during requests, which recognise the session by its creation time.
 */
export async function passTime(client: Redis, key: string, ms: number): Promise<void> {
  const [bookkeeping, generation, login, bound] = await client.hmget(key, '@', '@renew', '@login', '@db')
  if (bookkeeping == null) throw new Error(`nothing at ${key}`)
  const [created = '', ...rest] = bookkeeping.split(' ')
  await client.hset(key, '@', [earlier(created, ms * 1000), ...rest].join(' '))
  if (login != null) await client.hset(key, '@login', earlier(login, ms))
  if (bound != null) {
    const [secret, since = '', state] = bound.split(' ')
    await client.hset(key, '@db', [secret, earlier(since, ms), state].join(' '))
  }
  if (generation == null) return
  const [number, since = '', ...others] = generation.split(' ')
  await client.hset(key, '@renew', [number, earlier(since, ms), ...others].join(' '))
}
