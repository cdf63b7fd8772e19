import type { Cluster, Redis } from 'ioredis'
import { bookkeeping } from './raw-session.js'

const AT_ONCE = 1000

/**
 * Makes sessions of one user, `many0` and so on, as a store with `indexes: { user: (s) => s.userId }` does, but many at
 * a time. It uses no pipeline, because a Cluster takes none with keys of several masters. Each session ends a second
 * later than the one before.
 *
 * @param isEndless whether the sessions never expire, as with `disableTTL`
 */
export async function makeMany(client: Redis, prefix: string, user: string, count: number, isEndless = false) {
  const lifetime = 86_400_000
  const first = Date.now()
  for (let at = 0; at < count; at += AT_ONCE) {
    const sent: Promise<unknown>[] = []
    for (let i = at; i < Math.min(count, at + AT_ONCE); i++) {
      const key = `${prefix}many${i}`
      const createdAt = first - 30_000_000 + i * 1000
      const meta = bookkeeping({ createdAt, idleMs: lifetime })
      sent.push(client.hset(key, '@', meta, 'userId', `"${user}"`, '@i:user', user))
      if (!isEndless) sent.push(client.pexpireat(key, createdAt + lifetime))
      sent.push(client.zadd(`idx:${prefix}user:${user}`, isEndless ? '+inf' : createdAt + lifetime, `many${i}`))
    }
    await Promise.all(sent)
  }
}

/** The maximum number of commands that waited for a reply at the same time, sampled in every turn of the event loop. */
export function watchQueue(client: Redis): { stop(): number } {
  const nodes = client.isCluster ? (client as unknown as Cluster).nodes('master') : [client]
  const connections = nodes as unknown as { commandQueue?: { length: number } }[]
  let most = 0
  let isWatching = true
  const look = () => {
    const waiting = connections.map(({ commandQueue }) => commandQueue?.length ?? 0)
    most = Math.max(most, ...waiting)
    if (isWatching) setImmediate(look)
  }
  look()
  return {
    stop() {
      isWatching = false
      return most
    },
  }
}
