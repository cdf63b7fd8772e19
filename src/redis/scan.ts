import { SessionStoreError } from '../errors.js'
import { isSid } from '../ids/sid.js'
import type { Client, Server } from './client.js'
import { clusterMasters, haveMoved, ownSlots } from './cluster-masters.js'
import type { Within } from './deadline.js'
import type { Keys } from './keys.js'
import { fromRedis } from './redis-error.js'

/**
 * Yields the stored ids under a prefix in batches, each id once, from every master. SCAN guarantees to find every key
 * that exists during the whole scan. A key that is created or deleted meanwhile may be missing.
 *
 * @param within applies the timeout to each command
 */
export async function* scanStoredIds(
  client: Client,
  keys: Keys,
  count: number,
  within: Within,
): AsyncGenerator<string[]> {
  const { keyPrefix } = client
  for await (const page of scanKeys(client, keys.pattern(keyPrefix), count, within)) {
    const batch = page.map((key) => keys.storedId(key, keyPrefix)).filter(isSid)
    if (batch.length > 0) yield batch
  }
}

/** Yields the store's keys that are no sessions, without the client's `keyPrefix`, each once. */
export async function* scanIndexKeys(
  client: Client,
  keys: Keys,
  count: number,
  within: Within,
): AsyncGenerator<string[]> {
  const { keyPrefix } = client
  for await (const page of scanKeys(client, keys.indexPattern(keyPrefix), count, within)) {
    yield page.map((key) => key.slice(keyPrefix.length))
  }
}

/** Yields pages of keys from every master, each key once. */
async function* scanKeys(client: Client, pattern: string, count: number, within: Within): AsyncGenerator<string[]> {
  const seen = new Set<string>()
  for await (const page of everyNode(client, (node) => scanNode(client, node, pattern, count, within), within)) {
    const unseen = [...new Set(page)].filter((key) => !seen.has(key))
    for (const key of unseen) seen.add(key)
    yield unseen
  }
}

async function* scanNode(
  client: Client,
  node: Server,
  pattern: string,
  count: number,
  within: Within,
): AsyncGenerator<string[]> {
  let cursor = '0'
  do {
    const asked = node.ask('scan', cursor, 'MATCH', pattern, 'COUNT', count)
    const [next, found] = pageIn(await within(asked.catch(failed(client, 'SCAN'))))
    cursor = next
    yield found
  } while (cursor !== '0')
}

/**
 * Walks every master, because SCAN sees only one node. A key that moves from a master that is not yet scanned to one
 * that has been scanned would be missed. Therefore, if slots have moved or are moving, all masters are walked a second
 * time; a key that moves once is found by one of the two walks.
 */
async function* everyNode(
  client: Client,
  walk: (node: Server) => AsyncGenerator<string[]>,
  within: Within,
): AsyncGenerator<string[]> {
  if (!client.isCluster) return yield* walk(await onlyServer(client, within))
  for (const isLast of [false, true]) {
    const nodes = await connectedMasters(client, within)
    const before = await within(ownSlots(nodes).catch(failed(client, 'CLUSTER NODES')))
    for (const node of nodes) yield* walk(node)
    if (isLast || !haveMoved(before, await within(ownSlots(nodes).catch(failed(client, 'CLUSTER NODES'))))) return
  }
}

async function connectedMasters(client: Client, within: Within): Promise<Server[]> {
  // Before it is connected, a Cluster client knows no nodes, and a walk would find no keys.
  if (!client.isReady) await within(client.ping().catch(failed(client, 'PING')))
  const nodes = await within(clusterMasters(client).catch(failed(client, 'CLUSTER SLOTS')))
  if (nodes.length === 0)
    throw new SessionStoreError('ERR_SESSION_UNAVAILABLE', 'no master of the Cluster is connected')
  return nodes
}

async function onlyServer(client: Client, within: Within): Promise<Server> {
  // A client that asks Sentinels may have to find one first.
  if (client.masters().length === 0) await within(client.refresh().catch(failed(client, 'SCAN')))
  const [server] = client.masters()
  if (server === undefined) throw new SessionStoreError('ERR_SESSION_UNAVAILABLE', 'the client is not connected')
  return server
}

/** The reply to SCAN: the next cursor, and keys. */
function pageIn(reply: unknown): [string, string[]] {
  const [next, found] = Array.isArray(reply) ? (reply as unknown[]) : []
  if (!Array.isArray(found)) throw new SessionStoreError('ERR_SESSION_REDIS', 'Redis gave an unexpected reply to SCAN')
  return [String(next), found as string[]]
}

function failed(client: Client, command: string): (err: unknown) => Promise<never> {
  return (err) => Promise.reject(fromRedis(err, command, client.isReady))
}
