import type { Redis } from 'ioredis'

/** Makes the sessions due that are due within `ms` milliseconds. Claims stay as they are. */
export async function makeDue(client: Redis, prefix: string, ms: number): Promise<void> {
  for (const queue of await client.keys(`idx:${prefix}@ends:*`)) {
    for (const id of await client.zrange(queue, '0', '-1')) await client.zincrby(queue, -ms, id)
  }
}

/**
 * Makes `ms` milliseconds pass for sessions that have ended or will end. Sessions that are due within this time become
 * due, and claims made before become void. Where a running store may just be claiming a session, use `makeDue`: the
 * store would call `onEnd` twice.
 */
export async function hasten(client: Redis, prefix: string, ms = 60_000): Promise<void> {
  for (const key of await client.keys(`${prefix}*`)) {
    if ((await client.type(key)) !== 'hash') continue
    const told = (await client.hget(key, '@end')) ?? ''
    const [reason, at, claimed = ''] = told.split(' ')
    if (claimed === '') continue
    const left = Math.max(0, Number.parseInt(claimed, 36) - ms)
    await client.eval(REPLACE, 1, key, told, `${reason} ${at} ${left.toString(36)}`)
  }
  // After that, a running store claims what is due at once, and that claim must stay.
  await makeDue(client, prefix, ms)
}

/** Checks the field first: a plain HSET on a key that was deleted meanwhile would create one that is no session. */
const REPLACE = `
if redis.call('HGET', KEYS[1], '@end') == ARGV[1] then redis.call('HSET', KEYS[1], '@end', ARGV[2]) end
return 1
`
