import { SessionStoreError } from '../errors.js'
import { isCluster, keyPrefixOf, masters, type RedisClient, type RedisNode } from './client.js'
import type { Keys } from './keys.js'
import { fromRedis } from './redis-error.js'
import { isSid } from './sid.js'

/**
 * The stored ids under a prefix, a batch at a time and each once, from every master. SCAN guarantees every id that is
 * there from beginning to end; one that comes or goes meanwhile may be missing.
 *
 * @param within gives each command its deadline
 */
export async function* scanStoredIds(
  client: RedisClient,
  keys: Keys,
  count: number,
  within: <T>(work: Promise<T>) => Promise<T>,
): AsyncGenerator<string[]> {
  const keyPrefix = keyPrefixOf(client)
  const seen = new Set<string>()
  for (const node of await connectedMasters(client, within)) {
    let cursor = '0'
    do {
      const page = node.scan(cursor, 'MATCH', keys.pattern(keyPrefix), 'COUNT', count)
      const [next, found] = await within(
        page.catch((err: unknown) => Promise.reject(fromRedis(err, 'SCAN', client.status === 'ready'))),
      )
      cursor = next
      const batch = found.map((key) => keys.storedId(key, keyPrefix)).filter((id) => isSid(id) && !seen.has(id))
      for (const id of batch) seen.add(id)
      if (batch.length > 0) yield [...new Set(batch)]
    } while (cursor !== '0')
  }
}

/** A Cluster client knows its nodes once it is connected; before that, walking them would find an empty keyspace. */
async function connectedMasters(
  client: RedisClient,
  within: <T>(work: Promise<T>) => Promise<T>,
): Promise<RedisNode[]> {
  if (isCluster(client) && client.status !== 'ready') {
    await within(client.ping().catch((err: unknown) => Promise.reject(fromRedis(err, 'PING', false))))
  }
  const nodes = masters(client)
  if (nodes.length === 0)
    throw new SessionStoreError('ERR_SESSION_UNAVAILABLE', 'no master of the Cluster is connected')
  return nodes
}
