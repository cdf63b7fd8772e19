import { SessionStoreError } from '../errors.js'
import { isSid } from '../ids/sid.js'
import type { Client, Server } from './client.js'
import { clusterMasters, movedSlots, ownSlots } from './cluster-masters.js'
import { slotOf } from './cluster-slot.js'
import type { Within } from './deadline.js'
import type { Keys } from './keys.js'
import { RecentKeys } from './recent-keys.js'
import { fromRedis } from './redis-error.js'
import { DONE, PlaceLost, type ScanPlace, type ServerPlace } from './scan-place.js'
import { ServerProcess } from './server-process.js'

/**
 * Whether each key comes once even while slots of a Cluster move, for which all that have come are remembered; or perhaps
 * twice then, in memory that does not grow with the number of keys.
 */
export type Repeats = 'never' | 'while-slots-move'

/**
 * Yields the stored ids under a prefix in batches from every master. SCAN guarantees to find every key that exists
 * during the whole scan. A key that is created or deleted meanwhile may be missing.
 *
 * @param within applies the timeout to each command
 * @param place where to go on, and how far the walk has come; without it, the walk cannot be stopped
 */
export async function* scanStoredIds(
  client: Client,
  keys: Keys,
  count: number,
  within: Within,
  place?: ScanPlace,
  repeats: Repeats = 'never',
): AsyncGenerator<string[]> {
  const { keyPrefix } = client
  const scan = { pattern: keys.pattern(keyPrefix), count, within, place }
  for await (const page of scanKeys(client, scan, repeats)) {
    const batch = page.map((key) => keys.storedId(key, keyPrefix)).filter(isSid)
    if (batch.length > 0) yield batch
  }
}

/** Yields the store's keys that are no sessions, without the client's `keyPrefix`. While slots move, some come twice. */
export async function* scanIndexKeys(
  client: Client,
  keys: Keys,
  count: number,
  within: Within,
  place?: ScanPlace,
): AsyncGenerator<string[]> {
  const { keyPrefix } = client
  const scan = { pattern: keys.indexPattern(keyPrefix), count, within, place }
  for await (const page of scanKeys(client, scan, 'while-slots-move')) {
    yield page.map((key) => key.slice(keyPrefix.length))
  }
}

interface Scan {
  pattern: string
  count: number
  within: Within
  place: ScanPlace | undefined
}

/** Yields pages of keys from every master. */
async function* scanKeys(client: Client, scan: Scan, repeats: Repeats): AsyncGenerator<string[]> {
  const recent = new RecentKeys()
  const seen = repeats === 'never' && client.isCluster ? new Set<string>() : undefined
  for await (const page of everyNode(client, scan)) {
    const unseen = recent.unseen(page).filter((key) => !seen?.has(key))
    for (const key of unseen) seen?.add(key)
    yield unseen
  }
}

/** @param process the one in which the cursor is valid */
async function* scanNode(
  client: Client,
  node: Server,
  process: ServerProcess,
  scan: Scan,
  at: ServerPlace,
): AsyncGenerator<string[]> {
  const { pattern, count, within, place } = scan
  while (at.cursor !== DONE && !place?.stop.aborted) {
    const asked = node.ask('scan', at.cursor, 'MATCH', pattern, 'COUNT', count)
    const [next, found] = pageIn(await within(asked.catch(failed(client, 'SCAN'))))
    // Another process reads the cursor in another way, and would leave out keys without a word.
    if (process.isInDoubt()) await expectSame(client, process, within)
    yield found
    // Only now has the page been worked through.
    at.cursor = next === '0' ? DONE : next
    if (place !== undefined) place.pages += 1
  }
}

/**
 * Walks every master, because SCAN sees only one node. A key that moves from a master that is not yet scanned to one
 * that has been scanned would be missed. Therefore, if slots have moved or are moving, all masters are walked a second
 * time for the keys of these slots; a key that moves once is found by one of the two walks.
 */
async function* everyNode(client: Client, scan: Scan): AsyncGenerator<string[]> {
  const { within, place } = scan
  const slotsOf = async (nodes: readonly Server[]) =>
    client.isCluster ? within(ownSlots(nodes).catch(failed(client, 'CLUSTER NODES'))) : []
  let only: ReadonlySet<number> | undefined
  for (const isLast of [false, true]) {
    const nodes = client.isCluster ? await connectedMasters(client, within) : [await onlyServer(client, within)]
    const before = await slotsOf(nodes)
    const asked = nodes.map((node) => ServerProcess.of(node))
    const processes = await within(Promise.all(asked).catch(failed(client, 'INFO')))
    const ids = processes.map(({ id }) => id)
    place?.begin(ids, before)
    for (const [i, node] of nodes.entries()) {
      const process = processes[i] as ServerProcess
      for await (const page of scanNode(client, node, process, scan, place?.at(i) ?? { cursor: '0' })) {
        yield only === undefined ? page : page.filter((key) => only?.has(slotOf(key)))
      }
    }
    if (isLast || !client.isCluster || place?.stop.aborted) return
    only = movedSlots(before, await slotsOf(nodes))
    if (only.size === 0) return
  }
}

async function expectSame(client: Client, process: ServerProcess, within: Within): Promise<void> {
  const isSame = await within(process.isSame().catch(failed(client, 'INFO')))
  if (isSame === undefined)
    throw new PlaceLost('the connection to Redis, which does not tell its run_id (INFO), was lost')
  if (!isSame) throw new PlaceLost()
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
