import type { IndexEntry } from '../hash/index-fields.js'
import { DROP, ENTER, PENDING_MS } from '../redis/scripts/index-sessions.js'
import type { Context } from './context.js'

/**
 * Indexes: for each value a sorted set of stored ids with the time at which each ends. An entry is written before its
 * session and dropped after it, so that an index may name sessions that are gone, but misses none that is there.
 */

/**
 * @param idleMs how long the session may live from now on
 * @returns undefined if there is nothing to enter: what follows is then to be sent at once, in the order it was asked for
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
 * @param place the member that was entered for it
 * @returns false if it was dropped meanwhile
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

/** A session that an index names, and when it says that it ends. */
export interface Member {
  storedId: string
  /** It is getting this id in place of another one, and may still be under that. */
  from?: string | undefined
  /** As it stands in the index. */
  text: string
  score: string
}

/** Those that end first come first; ranks as ZRANGE takes them, -1 is the last. */
export async function membersOf(
  { gateway, keys }: Context,
  { name, value }: IndexEntry,
  first = 0,
  last = -1,
): Promise<Member[]> {
  return membersAmong(await gateway.zmembers(keys.index(name, value), first, last))
}

/**
 * Those that end last come first.
 *
 * @param behind only those that follow this one, in the order in which it stood
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

/** Without what is no session (redis/scripts/index-sessions.ts). */
export function membersAmong(pairs: readonly (readonly [text: string, score: string])[]): Member[] {
  return pairs.filter(([, score]) => !score.startsWith('-')).map(([text, score]) => ({ ...parseMember(text), score }))
}

export function parseMember(text: string): Omit<Member, 'score'> {
  const [first = '', second] = text.split(' ')
  return second === undefined ? { storedId: first, text } : { storedId: second, from: first, text }
}

/** Those whose time is over are not counted, by the clock of this process. */
export function countMembers({ gateway, keys }: Context, { name, value }: IndexEntry): Promise<number> {
  return gateway.zcount(keys.index(name, value), Date.now())
}

/** How long the entry of a session that is getting another id waits for that: for as long as the operations may take. */
export function pendingMs({ options }: Context): number {
  return PENDING_MS + 2 * options.timeoutMs
}

/**
 * Drops the entry of a session that was looked for afterwards, and not found.
 *
 * @returns whether it did: that of a session that may just be created stays
 */
export function dropEntry(context: Context, member: Member, { name, value }: IndexEntry): Promise<boolean> {
  const { gateway, keys } = context
  const stays = member.from === undefined ? PENDING_MS : pendingMs(context)
  return gateway.script(DROP, keys.index(name, value), [member.text, member.score, stays])
}

/** An entry as it stood before a write that takes its session out of the index. */
export interface Standing {
  entry: IndexEntry
  member: Member
}

/** Looks at the entries that a write is about to make wrong. To be waited for: an entry that comes later is another one's. */
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
 * Drops entries that a write has made wrong, unless another request has entered the session there again meanwhile. What cannot
 * be dropped names a session that is not found there, and is dropped when it is next seen.
 */
export async function withdraw({ gateway, keys }: Context, standing: readonly Standing[]): Promise<void> {
  const dropped = standing.map(({ entry: { name, value }, member: { storedId, score } }) =>
    gateway.script(DROP, keys.index(name, value), [storedId, score, '']),
  )
  await Promise.allSettled(dropped)
}

/** Drops the entries of a session that is gone. What cannot be dropped is dropped when it is next seen. */
export async function leave({ gateway, keys }: Context, member: string, entries: readonly IndexEntry[]): Promise<void> {
  const dropped = entries.map(({ name, value }) => gateway.zrem(keys.index(name, value), member))
  await Promise.allSettled(dropped)
}
