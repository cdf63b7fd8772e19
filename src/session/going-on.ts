import { type IndexEntry, without } from '../hash/index-fields.js'
import { ENTER } from '../redis/scripts/index-sessions.js'
import type { Context } from './context.js'
import { endRevoked } from './end-key.js'
import { leave, parseMember, pendingMs, settleEntry } from './index-entries.js'

/*
 * A session that goes on under another id must not get away from whoever is just ending all sessions of its user. The two ids are
 * under different keys, so it is the index that decides, in one script at a time:
 *
 *     1 enter     the pair of ids, before the session leaves the first one; refused while its sessions are being ended (REVOKE)
 *     2 take      the session away from the first id
 *     3 write     it under the second one
 *     4 settle    the second id takes the place of the pair: if that has gone, the session ends
 *
 * Who ends all drops the pairs he finds, and no new one is entered from then on. So a session is either still found under its first
 * id, or it loses its pair and ends with 4, or it has come to 4 and is found under its second id. Nobody has that id before 4.
 */

/** How a session gets another id. */
export interface GoingOn {
  from: string
  to: string
  /** All stored ids that it may be under before. */
  ids: readonly string[]
  /** Where it is known to be found before. */
  held: readonly IndexEntry[]
  /** Where it goes on: where else it is to be found then, it is new. */
  entries: readonly IndexEntry[]
  /** It stays the same user's: who ends it under the first id ends it under the second one, too (session/trail.ts). */
  leavesTrail?: boolean
}

/**
 * @param idleMs how long the pair is to stay if this process goes no further; '' = for ever
 * @returns false if the session is just being ended
 */
export async function enterNext(
  context: Context,
  { from, to, ids }: Pick<GoingOn, 'from' | 'to' | 'ids'>,
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
 * The same for entries that another request has given the session meanwhile. It has been taken away already, so that its entry must
 * still be there.
 *
 * @param left stored id that it was taken away from
 */
export async function passOn(
  context: Context,
  goingOn: GoingOn,
  left: string,
  entries: readonly IndexEntry[],
): Promise<void> {
  const { gateway, keys } = context
  const { from, to, ids } = goingOn
  const args = [pairOf(from, to), pendingMs(context), left, ...ids]
  const more = without(without(entries, goingOn.held), goingOn.entries)
  await Promise.all(more.map(({ name, value }) => gateway.script(ENTER, keys.index(name, value), args)))
  goingOn.entries = [...goingOn.entries, ...more]
}

/**
 * The session has been written under its next id. It ends again if it has been ended meanwhile, with others.
 *
 * @returns false if it has
 */
export async function settleOrEnd(
  context: Context,
  { from, to }: Pick<GoingOn, 'from' | 'to'>,
  entries: readonly IndexEntry[],
  idleMs: number,
): Promise<boolean> {
  const settled = await Promise.all(entries.map((entry) => settleEntry(context, to, entry, idleMs, pairOf(from, to))))
  const lost = entries.filter((_, i) => !settled[i])
  for (const entry of lost) await endRevoked(context, to, entry)
  return lost.length === 0
}

/** It does not go on after all: there was no session any more. */
export async function leaveNext(context: Context, { from, to, entries }: GoingOn): Promise<void> {
  await leave(context, pairOf(from, to), entries)
}

/** The member of an index that stands for a session on its way from one id to another. */
export function pairOf(from: string, to: string): string {
  return `${from} ${to}`
}

/** The stored ids that a member of an index names, in the order in which they are to be ended: that it has left first. */
export function idsOf(text: string): string[] {
  const { storedId, from } = parseMember(text)
  return from === undefined ? [storedId] : [from, storedId]
}
