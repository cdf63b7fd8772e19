import { handleOf } from '../redis/sid.js'
import type { Context } from './context.js'
import { encodeIndexValue, entriesIn, type IndexEntry, indexFields } from './index-values.js'
import { inspectSession, type SessionInfo } from './inspect.js'
import type { Keyspace } from './keyspace.js'
import { loadSession } from './load.js'
import { endKey, leave } from './session-index.js'

/** How many sessions are looked at, or ended, at a time. */
const BATCH = 50
/** How often new sessions may turn up while all are being ended. */
const ROUNDS = 20

/** @throws TypeError for an index that the store does not have */
export function indexEntry({ options }: Context, name: string, value: string | number): IndexEntry {
  if (!options.indexes.some(([known]) => known === name)) {
    throw new TypeError(`there is no index "${name}": give it to new RedisStore({ indexes: { ${name}: ... } })`)
  }
  return { name, value: encodeIndexValue(name, value) }
}

/** The sessions that are to be found there, most recently seen first. Entries of sessions that are gone are dropped. */
export async function findSessions(context: Context, entry: IndexEntry): Promise<SessionInfo[]> {
  const found: SessionInfo[] = []
  for (const batch of batches(await membersOf(context, entry))) {
    const infos = await Promise.all(batch.map((storedId) => infoIn(context, storedId, entry)))
    found.push(...infos.filter((info) => info !== null))
  }
  return found.sort((a, b) => Number(b.seenAt) - Number(a.seenAt))
}

async function infoIn(context: Context, storedId: string, entry: IndexEntry): Promise<SessionInfo | null> {
  const inspected = await inspectSession(context, storedId)
  if (inspected !== null && has(inspected.entries, entry)) return inspected.info
  await leave(context, storedId, [entry])
  return null
}

/** Which of the sessions that are to be found somewhere. */
export interface Ending {
  /** Stored ids of the session that is to stay. */
  except: readonly string[]
  handle: string | undefined
  thorough: boolean
}

/** @returns how many have been ended */
export async function endSessions(
  context: Context,
  keyspace: Keyspace,
  entry: IndexEntry,
  ending: Ending,
  within: <T>(work: Promise<T>) => Promise<T>,
): Promise<number> {
  const isMeant = (storedId: string) =>
    !ending.except.includes(storedId) && (ending.handle === undefined || handleOf(storedId) === ending.handle)
  let ended = 0
  // Until none is left: a session may begin, or move to another id, while others are being ended.
  for (let round = 0; round < ROUNDS; round++) {
    const members = (await within(membersOf(context, entry))).filter(isMeant)
    if (members.length === 0) break
    for (const batch of batches(members)) ended += await within(endAll(context, batch, entry))
  }
  if (!ending.thorough) return ended
  for await (const batch of keyspace.storedIds()) {
    const matching = await within(Promise.all(batch.filter(isMeant).map((id) => isFound(context, id, entry))))
    const listed = batch.filter(isMeant).filter((_, i) => matching[i])
    ended += await within(endAll(context, listed, undefined))
  }
  return ended
}

/** @param entry only those that are to be found there; what is not is dropped from it */
async function endAll(context: Context, storedIds: readonly string[], entry: IndexEntry | undefined): Promise<number> {
  const ended = await Promise.all(
    storedIds.map(async (storedId) => {
      const isEnded = await endKey(context, storedId, entry)
      if (isEnded) context.announcer.announce('destroyed', { handle: handleOf(storedId), reason: 'revoked' })
      else if (entry !== undefined) await leave(context, storedId, [entry])
      return isEnded
    }),
  )
  return ended.filter(Boolean).length
}

/** By what the session says where it is to be found, and by what it holds: it may be from before there was the index. */
async function isFound(context: Context, storedId: string, entry: IndexEntry): Promise<boolean> {
  const loaded = await loadSession(context, storedId)
  if (loaded === null) return false
  const { session, record } = loaded
  return has(
    [...entriesIn(record.fields), ...entriesIn(indexFields(context.options.indexes, session, new Map()))],
    entry,
  )
}

function membersOf({ gateway, keys }: Context, { name, value }: IndexEntry): Promise<string[]> {
  return gateway.zmembers(keys.index(name, value))
}

function has(entries: readonly IndexEntry[], { name, value }: IndexEntry): boolean {
  return entries.some((entry) => entry.name === name && entry.value === value)
}

function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH))
}
