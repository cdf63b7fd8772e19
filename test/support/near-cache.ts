import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { until } from './until.js'

/** Large and long enough for every test, so that sessions leave the cache only because a change was reported. */
export const CACHE = { max: 1000, maxAge: 3600 }

/** Makes a store whose near cache works from the first call on. */
export async function cachingStore(options: RedisStoreOptions): Promise<RedisStore> {
  const store = new RedisStore({ cache: CACHE, ...options })
  await isCaching(store, options)
  return store
}

/** Waits until reading a session twice costs only one read; in a Cluster, on every master. */
export async function isCaching(store: RedisStore, { client }: Pick<RedisStoreOptions, 'client'>): Promise<void> {
  const isCluster = ('isCluster' in client && client.isCluster) || 'masters' in client
  const masters = isCluster ? 64 : 1
  const probes = Array.from({ length: masters }, (_, i) => `near-cache-probe-${i}`)
  for (const sid of probes) {
    await until(
      'the near cache serves a session',
      async () => {
        await store.set(sid, { cookie: { originalMaxAge: 60_000 } } as never)
        const before = store.cacheStats?.hits
        for (let i = 0; i < 4; i++) await store.get(sid)
        return store.cacheStats?.hits !== before
      },
      { everyMs: 5 },
    )
  }
  await Promise.all(probes.map((sid) => store.destroy(sid)))
}

/**
 * Repeats every `get` three times. By the last one, the cache knows earlier writes of this process and mostly answers.
 */
export function warmed(store: RedisStore): RedisStore {
  const get = store.get.bind(store)
  store.get = async (sid: string, callback?: Parameters<typeof get>[1]) => {
    for (let i = 0; i < 2; i++) await get(sid).catch(() => null)
    return get(sid, callback)
  }
  return store
}

/** Whether CLIENT LIST has a connection that tracks keys (t), and has subscribed (P) to what Redis then reports. */
export const isToldOfChanges = (clientList: string) => /flags=\w*P\w*t/.test(clientList)
