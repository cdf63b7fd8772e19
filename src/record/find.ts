import { handleOf } from '../redis/sid.js'
import type { Context } from './context.js'
import { encodeIndexValue, entriesIn, type IndexEntry, indexFields } from './index-values.js'
import { inspectSession, type SessionInfo } from './inspect.js'
import type { Keyspace } from './keyspace.js'
import { loadSession } from './load.js'
import { dropEntry, endKey, type Member, membersOf } from './session-index.js'

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
  const found = await findIn(context, entry)
  await dropGone(context, found, entry)
  const infos = found.map(({ info }) => info).filter((info) => info !== null)
  return infos.sort((a, b) => Number(b.seenAt) - Number(a.seenAt))
}

/** What an index names, and the session if there is one that is to be found there. */
export async function findIn(context: Context, entry: IndexEntry): Promise<Found[]> {
  const found: Found[] = []
  for (const batch of batches(await membersOf(context, entry))) {
    const infos = await Promise.all(batch.map(({ storedId }) => inspectSession(context, storedId)))
    batch.forEach((member, i) => {
      const inspected = infos[i] ?? null
      found.push({ ...member, info: inspected !== null && has(inspected.entries, entry) ? inspected.info : null })
    })
  }
  return found
}

/** Drops the entries of what was not found. */
export async function dropGone(context: Context, found: readonly Found[], entry: IndexEntry): Promise<void> {
  const gone = found.filter(({ info }) => info === null)
  await Promise.all(gone.map((member) => dropEntry(context, member, entry)))
}

export interface Found extends Member {
  info: SessionInfo | null
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
  const tried = new Set<string>()
  // Until there is no other: a session may begin, or move to another id, while others are being ended.
  for (let round = 0; round < ROUNDS; round++) {
    const all = await within(membersOf(context, entry))
    const members = all.filter(({ storedId }) => isMeant(storedId) && !tried.has(storedId))
    if (members.length === 0) break
    for (const { storedId } of members) tried.add(storedId)
    for (const batch of batches(members)) ended += await within(endMembers(context, batch, entry))
  }
  if (!ending.thorough) return ended
  for await (const batch of keyspace.storedIds()) {
    const matching = await within(Promise.all(batch.filter(isMeant).map((id) => isFound(context, id, entry))))
    const listed = batch.filter(isMeant).filter((_, i) => matching[i])
    ended += await within(endAll(context, listed))
  }
  return ended
}

/** Those that are to be found there; what is not is dropped from it. */
async function endMembers(context: Context, members: readonly Member[], entry: IndexEntry): Promise<number> {
  const ended = await Promise.all(
    members.map(async (member) => {
      const isEnded = await endKey(context, member.storedId, entry)
      if (isEnded) announceRevoked(context, member.storedId)
      else await dropEntry(context, member, entry)
      return isEnded
    }),
  )
  return ended.filter(Boolean).length
}

async function endAll(context: Context, storedIds: readonly string[]): Promise<number> {
  const ended = await Promise.all(storedIds.map((storedId) => endKey(context, storedId)))
  for (const storedId of storedIds.filter((_, i) => ended[i])) announceRevoked(context, storedId)
  return ended.filter(Boolean).length
}

function announceRevoked(context: Context, storedId: string): void {
  context.announcer.announce('destroyed', { handle: handleOf(storedId), reason: 'revoked' })
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

function has(entries: readonly IndexEntry[], { name, value }: IndexEntry): boolean {
  return entries.some((entry) => entry.name === name && entry.value === value)
}

function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH))
}
