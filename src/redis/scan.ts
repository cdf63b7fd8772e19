import { SessionStoreError } from '../errors.js'
import { isCluster, keyPrefixOf, masters, type RedisClient, type RedisNode } from './client.js'
import type { Keys } from './keys.js'
import { fromRedis } from './redis-error.js'
import { isSid } from './sid.js'

type Within = <T>(work: Promise<T>) => Promise<T>

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
  within: Within,
): AsyncGenerator<string[]> {
  const keyPrefix = keyPrefixOf(client)
  const seen = new Set<string>()
  for await (const page of scanKeys(client, keys.pattern(keyPrefix), count, within)) {
    const batch = page.map((key) => keys.storedId(key, keyPrefix)).filter((id) => isSid(id) && !seen.has(id))
    for (const id of batch) seen.add(id)
    if (batch.length > 0) yield [...new Set(batch)]
  }
}

/** The keys of all that is no session, as commands of the client name them; some may come twice. */
export async function* scanIndexKeys(
  client: RedisClient,
  keys: Keys,
  count: number,
  within: Within,
): AsyncGenerator<string[]> {
  const keyPrefix = keyPrefixOf(client)
  for await (const page of scanKeys(client, keys.indexPattern(keyPrefix), count, within)) {
    yield page.map((key) => key.slice(keyPrefix.length))
  }
}

/** Pages of keys, from every master. */
async function* scanKeys(
  client: RedisClient,
  pattern: string,
  count: number,
  within: Within,
): AsyncGenerator<string[]> {
  for (const node of await connectedMasters(client, within)) {
    let cursor = '0'
    do {
      const page = node.scan(cursor, 'MATCH', pattern, 'COUNT', count)
      const [next, found] = await within(
        page.catch((err: unknown) => Promise.reject(fromRedis(err, 'SCAN', client.status === 'ready'))),
      )
      cursor = next
      yield found
    } while (cursor !== '0')
  }
}

/** A Cluster client knows its nodes once it is connected; before that, walking them would find an empty keyspace. */
async function connectedMasters(client: RedisClient, within: Within): Promise<RedisNode[]> {
  if (isCluster(client) && client.status !== 'ready') {
    await within(client.ping().catch((err: unknown) => Promise.reject(fromRedis(err, 'PING', false))))
  }
  const nodes = masters(client)
  if (nodes.length === 0)
    throw new SessionStoreError('ERR_SESSION_UNAVAILABLE', 'no master of the Cluster is connected')
  return nodes
}
