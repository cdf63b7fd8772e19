import type { IndexEntry } from '../hash/index-fields.js'
import { DROP, ENTER, PENDING_MS } from '../redis/scripts/index-sessions.js'
import type { Context } from './context.js'

/**
 * An index has one sorted set for each value. Its members are stored ids, and their scores are the times at which the
 * sessions end. An entry is written before its session and dropped after it. So an index may name sessions that are
 * gone, but it misses no session that exists.
 */

/**
 * @param idleMs how long the session may live from now on
 * @returns undefined if there is nothing to enter. The caller then sends its next command in the same call, so that
 * commands keep the order in which they were requested.
 */
export function enter(
  { gateway, keys, options }: Context,
  storedId: string,
  entries: readonly IndexEntry[],
  idleMs: number,
): Promise<void> | undefined {
  if (entries.length === 0) return undefined
  const args = [storedId, options.disableTTL ? '' : idleMs]
  const entered = entries.map(({ name, value }) => gateway.script(ENTER, keys.index(name, value), args))
  return Promise.all(entered).then(() => undefined)
}

/**
 * Prolongs the entry of a session that has just been created.
 *
 * @param place member that was entered for the session
 * @returns false if that member was dropped meanwhile
 */
export function settleEntry(
  { gateway, keys, options }: Context,
  storedId: string,
  { name, value }: IndexEntry,
  idleMs: number,
  place = storedId,
): Promise<boolean> {
  const args = [storedId, options.disableTTL ? '' : idleMs, place]
  return gateway.script(ENTER, keys.index(name, value), args)
}

/** A session that an index names, and when it ends according to the index. */
export interface Member {
  storedId: string
  /** Previous stored id of a session whose id is being replaced; the session may still be under it. */
  from?: string | undefined
  /** The member as the index holds it. */
  text: string
  score: string
}

/** Reads members, the first to end first. `first` and `last` are ranks as in ZRANGE; -1 is the last. */
export async function membersOf(
  { gateway, keys }: Context,
  { name, value }: IndexEntry,
  first = 0,
  last = -1,
): Promise<Member[]> {
  return membersAmong(await gateway.zmembers(keys.index(name, value), first, last))
}

/**
 * Reads members, the last to end first.
 *
 * @param behind reads only members that follow this one in that order, by the score that it was read with
 */
export async function newestMembers(
  context: Context,
  entry: IndexEntry,
  most: number,
  behind?: Member,
): Promise<Member[]> {
  if (behind === undefined) return (await membersOf(context, entry, -most)).reverse()
  const { gateway, keys } = context
  const key = keys.index(entry.name, entry.value)
  return membersAmong(await gateway.zmembersAfter(key, behind.score, behind.text, most))
}

/** Selects the members that stand for sessions (redis/scripts/index-sessions.ts). */
export function membersAmong(pairs: readonly (readonly [text: string, score: string])[]): Member[] {
  return pairs.filter(([, score]) => !score.startsWith('-')).map(([text, score]) => ({ ...parseMember(text), score }))
}

export function parseMember(text: string): Omit<Member, 'score'> {
  const [first = '', second] = text.split(' ')
  return second === undefined ? { storedId: first, text } : { storedId: second, from: first, text }
}

/** Counts the members that have not ended yet by the clock of this process. */
export function countMembers({ gateway, keys }: Context, { name, value }: IndexEntry): Promise<number> {
  return gateway.zcount(keys.index(name, value), Date.now())
}

/** How long an entry stays while its session gets another id: as long as the operations of that change may take. */
export function pendingMs({ options }: Context): number {
  return PENDING_MS + 2 * options.timeoutMs
}

/**
 * Drops the entry of a session that was not found by a read after that of the entry. Keeps the entry if its session may
 * be just about to be created.
 *
 * @returns whether the entry was dropped
 */
export function dropEntry(context: Context, member: Member, { name, value }: IndexEntry): Promise<boolean> {
  const { gateway, keys } = context
  const stays = member.from === undefined ? PENDING_MS : pendingMs(context)
  return gateway.script(DROP, keys.index(name, value), [member.text, member.score, stays])
}

/** An entry as it was before a write that removes its session from the index. */
export interface Standing {
  entry: IndexEntry
  member: Member
}

/** Reads entries that a write is about to make wrong. Wait for it before the write: later entries belong to others. */
export async function standingOf(
  { gateway, keys }: Context,
  storedId: string,
  entries: readonly IndexEntry[],
): Promise<Standing[]> {
  const scores = await Promise.all(entries.map(({ name, value }) => gateway.zscore(keys.index(name, value), storedId)))
  return entries.flatMap((entry, i) => {
    const score = scores[i] ?? null
    return score === null ? [] : [{ entry, member: { storedId, text: storedId, score } }]
  })
}

/**
 * Drops entries that a write has made wrong, unless another request has entered the session there again meanwhile. An
 * entry that cannot be dropped now is dropped by the next read that does not find its session.
 */
export async function withdraw({ gateway, keys }: Context, standing: readonly Standing[]): Promise<void> {
  const dropped = standing.map(({ entry: { name, value }, member: { storedId, score } }) =>
    gateway.script(DROP, keys.index(name, value), [storedId, score, '']),
  )
  await Promise.allSettled(dropped)
}

/** Drops the entries of a session that is gone. An entry that cannot be dropped now is dropped when it is next read. */
export async function leave({ gateway, keys }: Context, member: string, entries: readonly IndexEntry[]): Promise<void> {
  const dropped = entries.map(({ name, value }) => gateway.zrem(keys.index(name, value), member))
  await Promise.allSettled(dropped)
}
