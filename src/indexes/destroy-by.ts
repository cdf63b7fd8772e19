import type { Keyspace } from '../admin/keyspace.js'
import { entriesIn, type IndexEntry, indexFields } from '../hash/index-fields.js'
import { handleOf } from '../ids/sid.js'
import { nextTurn } from '../real-set-immediate.js'
import type { Within } from '../redis/deadline.js'
import type { Context } from '../session/context.js'
import { endKey } from '../session/end-key.js'
import { dropEntry, type Member, membersOf } from '../session/index-entries.js'
import { loadSession } from '../session/load.js'
import { batches, has } from './find.js'

/** How often new sessions may turn up while all are being ended. */
const ROUNDS = 20

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
  within: Within,
): Promise<number> {
  const isMeant = (storedId: string) =>
    !ending.except.includes(storedId) && (ending.handle === undefined || handleOf(storedId) === ending.handle)
  let ended = 0
  const tried = new Set<string>()
  // Until there is no other: a session may begin, or move to another id, while others are being ended.
  for (let round = 0; round < ROUNDS; round++) {
    let isDone = true
    for (const batch of batches(await within(membersOf(context, entry)))) {
      const members = batch.filter(({ storedId }) => !tried.has(storedId) && isMeant(storedId))
      for (const { storedId } of members) tried.add(storedId)
      // To look for a handle among very many must hold up nobody.
      if (members.length === 0) await nextTurn()
      else ended += await within(endMembers(context, members, entry))
      if (members.length > 0) isDone = false
    }
    if (isDone) break
  }
  if (!ending.thorough) return ended
  for await (const batch of keyspace.candidates()) {
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
      const isEnded = await endKey(context, member.storedId, 'revoked', { only: entry })
      if (isEnded) announceRevoked(context, member.storedId)
      else await dropEntry(context, member, entry)
      return isEnded
    }),
  )
  return ended.filter(Boolean).length
}

async function endAll(context: Context, storedIds: readonly string[]): Promise<number> {
  const ended = await Promise.all(storedIds.map((storedId) => endKey(context, storedId, 'revoked')))
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
