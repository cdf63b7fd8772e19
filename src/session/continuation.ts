import { type IndexEntry, without } from '../hash/index-fields.js'
import { ENTER } from '../redis/scripts/index-sessions.js'
import type { Context } from './context.js'
import { endRevoked } from './end-key.js'
import { leave, parseMember, pendingMs, settleEntry } from './index-entries.js'

/*
 * A session that gets another id must not escape an operation that is ending all sessions of its user. The two ids have
 * different keys, so no one script can cover both. The index decides instead, in one script at a time:
 *
 *     1 enter     the pair of ids, before the session leaves the first one; refused while the sessions under this index
 *                 value are being ended (REVOKE)
 *     2 take      the session away from the first id
 *     3 write     it under the second id
 *     4 settle    replace the pair by the second id; if the pair is gone or marked, end the session
 *
 * The operation that ends all sessions marks the pairs that it finds, and from then on no new pair is entered. So one of
 * three things is true of a session: it is still found under its first id; or its pair is marked and it ends in step 4;
 * or it has passed step 4 and is found under its second id. Nobody has the second id before step 4. A marked pair is
 * dropped once both ids have been ended: until then, the next operation of that kind finds the session by it.
 */

/** The change of a session from one id to another. */
export interface Continuation {
  from: string
  to: string
  /** All stored ids that the session may have before the change. */
  ids: readonly string[]
  /** Index entries that the session is known to have before the change. */
  held: readonly IndexEntry[]
  /** Index entries that the session keeps. Any other entry that it has after the change is a new one. */
  entries: readonly IndexEntry[]
  /** The session stays with the same user: ending the first id also ends the second one (session/rotated-ids.ts). */
  leavesTrail?: boolean
  /** New index entries with a limit, to which the session has been admitted; and when, by `performance.now()`. */
  admitted?: { entries: readonly IndexEntry[]; at: number }
}

/**
 * Enters the pair of ids into the indexes (step 1).
 *
 * @param idleMs how long the pair stays if this process goes no further; '' = for ever
 * @returns false if the session is being ended
 */
export async function enterNext(
  context: Context,
  { from, to, ids }: Pick<Continuation, 'from' | 'to' | 'ids'>,
  entries: readonly IndexEntry[],
  idleMs: number | '' = pendingMs(context),
): Promise<boolean> {
  const { gateway, keys } = context
  const args = [pairOf(from, to), idleMs, '', ...ids]
  const entered = await Promise.all(
    entries.map(({ name, value }) => gateway.script(ENTER, keys.index(name, value), args)),
  )
  return entered.every(Boolean)
}

/**
 * Enters the pair also under index entries that another request has given the session meanwhile. The session has
 * already been taken away, so the pair is entered only if the entry of the session is still there.
 *
 * @param left stored id that the session was taken away from
 */
export async function passOn(
  context: Context,
  continuation: Continuation,
  left: string,
  entries: readonly IndexEntry[],
): Promise<void> {
  const { gateway, keys } = context
  const { from, to, ids } = continuation
  const args = [pairOf(from, to), pendingMs(context), left, ...ids]
  const more = without(without(entries, continuation.held), continuation.entries)
  await Promise.all(more.map(({ name, value }) => gateway.script(ENTER, keys.index(name, value), args)))
  continuation.entries = [...continuation.entries, ...more]
}

/**
 * Replaces the pair by the second id, once the session has been written under it (step 4).
 *
 * @returns the entries that have lost the pair: all sessions under them have been ended meanwhile
 */
export async function settlePair(
  context: Context,
  { from, to }: Pick<Continuation, 'from' | 'to'>,
  entries: readonly IndexEntry[],
  idleMs: number,
): Promise<IndexEntry[]> {
  const settled = await Promise.all(entries.map((entry) => settleEntry(context, to, entry, idleMs, pairOf(from, to))))
  return entries.filter((_, i) => !settled[i])
}

/** Ends a session that has lost its pair of ids under these entries. */
export async function endLost(context: Context, storedId: string, lost: readonly IndexEntry[]): Promise<void> {
  for (const entry of lost) await endRevoked(context, storedId, entry)
}

/** Drops the pair if the session does not go on after all, because it no longer existed. */
export async function leaveNext(context: Context, { from, to, entries }: Continuation): Promise<void> {
  await leave(context, pairOf(from, to), entries)
}

/** Makes the index member that stands for a session on its way from one id to another. */
export function pairOf(from: string, to: string): string {
  return `${from} ${to}`
}

/** Lists the stored ids that an index member names, in the order to end them: first the id that the session leaves. */
export function idsOf(text: string): string[] {
  const { storedId, from } = parseMember(text)
  return from === undefined ? [storedId] : [from, storedId]
}
