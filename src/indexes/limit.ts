import { SessionStoreError } from '../errors.js'
import type { IndexEntry } from '../hash/index-fields.js'
import { handleOf } from '../ids/handle.js'
import type { Limit } from '../options.js'
import { signalFor } from '../redis/deadline.js'
import { ADMIT, PENDING_MS } from '../redis/scripts/index-sessions.js'
import { assertGoingOn, type Context, type Limiter } from '../session/context.js'
import { endKey } from '../session/end-key.js'
import { dropEntry, type Member, membersOf, parseMember, pendingMs, settleEntry } from '../session/index-entries.js'
import { BATCH, batches, dropGone, type Found, findAmong } from './find.js'

/*
 * Limits the number of sessions per index value (`limit` option). A session is admitted before it is created: one
 * script adds its entry only if the number of entries then stays within the limit. A session whose entry is dropped
 * to make room is ended. If that session is still being created, it finds its entry gone afterwards and ends itself
 * (`settleEntry`). So there are never more sessions than entries, even with simultaneous logins.
 */

/** Maximum number of attempts, if concurrent logins take the room first or make it. */
const ATTEMPTS = 20
/**
 * Number of attempts that make room by ending sessions first. Later attempts replace entries within the script,
 * which is exact with many concurrent logins.
 */
const GENTLE_ATTEMPTS = 2
/** The session to end is chosen among this many entries. If there are more, those that expire first are considered. */
const CONSIDERED = 200
/** Maximum number of entries that a login searches for one whose session is gone. */
const MAX_LOOKED_AT = 1000

/** Implements the `limit` option. */
export function limiterOf(limit: Limit): Limiter {
  return {
    among: (entries) => entries.filter(({ name }) => name === limit.index),
    async admit(context, storedId, entries, replaced = [], member = storedId) {
      let isGoingOn = true
      if (entries.length === 0) return isGoingOn
      // Without a signal from the caller, the time limit is that of any operation.
      const bounded = { ...context, signal: context.signal ?? signalFor(context.options.timeoutMs) }
      for (const entry of entries) isGoingOn &&= await admitTo(bounded, limit, { storedId, member, entry, replaced })
      return isGoingOn
    },
    settle,
    evict,
  }
}

interface Place {
  storedId: string
  member: string
  entry: IndexEntry
  replaced: readonly string[]
}

async function admitTo(context: Context, limit: Limit, place: Place): Promise<boolean> {
  const { max, onExceed } = limit
  let room = max
  let evictable: readonly Member[] = []
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    assertGoingOn(context)
    const { answer, others } = await enterWhereRoom(context, place, room, evictable)
    if (answer !== 'full') return answer === 'admitted'
    if (onExceed === 'reject') {
      await assertRoom(context, place, max)
    } else if (others - max >= CONSIDERED) {
      room = await workOff(context, max, place, others)
    } else {
      const { members, dropped } = await leastRecentlySeen(context, place)
      // Keep an entry until its session is deleted: if eviction fails half-way, `destroyBy` must still find it.
      const surplus = Math.max(0, others - dropped - max + 1)
      if (attempt < GENTLE_ATTEMPTS) await evictAll(context, members.slice(0, surplus), place.entry)
      else evictable = members
    }
  }
  throw new SessionStoreError('ERR_SESSION_CONFLICT', 'too many logins of one user at once')
}

/** @param evictable members whose entries may be dropped to make room, in this order */
async function enterWhereRoom(
  context: Context,
  { storedId, member, entry, replaced }: Place,
  room: number,
  evictable: readonly Member[],
): Promise<{ answer: 'admitted' | 'full' | 'revoked'; others: number }> {
  const { gateway, keys } = context
  const pending = member === storedId ? PENDING_MS : pendingMs(context)
  const args = [member, pending, room, replaced.length, ...replaced, ...evictable.map(({ text }) => text)]
  const reply = await gateway.script(ADMIT, keys.index(entry.name, entry.value), args)
  if (reply.kind === 'revoked') return { answer: reply.kind, others: 0 }
  for (const batch of batches(reply.dropped)) {
    await Promise.all(batch.map((text) => evict(context, parseMember(text).storedId, entry)))
  }
  return { answer: reply.kind, others: reply.others }
}

/**
 * After the limit was introduced or lowered, a user may have thousands of sessions too many. A login ends as many as
 * it can in half its time. It is then admitted if there are at least fewer sessions than before, and the next login
 * continues.
 *
 * @param others number of sessions besides this one
 * @returns the number of sessions that are allowed for this login
 */
async function workOff(context: Context, max: number, place: Place, others: number): Promise<number> {
  const { gateway, keys, options } = context
  const { name, value } = place.entry
  const end = performance.now() + options.timeoutMs / 2
  for (let left = others; left - max >= CONSIDERED; left = await gateway.zcard(keys.index(name, value))) {
    if (performance.now() > end) return others
    await evictAll(context, await endingFirst(context, place), place.entry)
  }
  return max
}

/**
 * Ends sessions one batch at a time, so that other requests are served in between. If a session is already gone, its
 * entry is dropped.
 */
async function evictAll(context: Context, members: readonly Member[], entry: IndexEntry): Promise<void> {
  for (const batch of batches(members)) {
    assertGoingOn(context)
    await Promise.all(
      batch.map(async (member) => {
        if (!(await evict(context, member.storedId, entry))) await dropEntry(context, member, entry)
      }),
    )
  }
}

/**
 * Sorts the sessions that expire first by when they were last seen. Sessions that are still being created come last.
 * Drops entries whose session is gone.
 */
async function leastRecentlySeen(context: Context, place: Place): Promise<{ members: Member[]; dropped: number }> {
  const found = await findAmong(context, await endingFirst(context, place), place.entry)
  const dropped = await dropGone(context, found, place.entry)
  const seen = ({ info }: Found) => (info === null ? Infinity : Number(info.seenAt))
  // Infinity minus Infinity is NaN.
  return { members: found.sort((a, b) => seen(a) - seen(b) || 0), dropped }
}

async function endingFirst(context: Context, { storedId, entry, replaced }: Place): Promise<Member[]> {
  const members = await membersOf(context, entry, 0, CONSIDERED + replaced.length)
  return members.filter((member) => member.storedId !== storedId && !replaced.includes(member.storedId))
}

/**
 * Checks whether the limit is reached by sessions that exist or are about to be created. Drops entries whose session
 * is gone.
 *
 * @throws ERR_SESSION_LIMIT
 */
async function assertRoom(context: Context, { storedId, entry, replaced }: Place, max: number): Promise<void> {
  let taken = 0
  for (let at = 0; taken < max && at < MAX_LOOKED_AT; ) {
    assertGoingOn(context)
    const members = await membersOf(context, entry, at, at + BATCH - 1)
    if (members.length === 0) return
    const others = members.filter((member) => member.storedId !== storedId && !replaced.includes(member.storedId))
    const dropped = await dropGone(context, await findAmong(context, others, entry), entry)
    taken += others.length - dropped
    at += members.length - dropped
  }
  throw limitReached(max)
}

/**
 * Prolongs the entry of a session that has just been created.
 *
 * @returns false if its entry was dropped meanwhile
 */
async function settle(
  context: Context,
  storedId: string,
  entries: readonly IndexEntry[],
  idleMs: number,
): Promise<boolean> {
  const settled = await Promise.all(entries.map((entry) => settleEntry(context, storedId, entry, idleMs)))
  return settled.every(Boolean)
}

/**
 * Ends a session whose place another session has taken.
 *
 * @returns whether the session existed
 */
async function evict(context: Context, storedId: string, only?: IndexEntry): Promise<boolean> {
  const isEnded = await endKey(context, storedId, 'evicted', { only })
  if (!isEnded) return false
  context.announcer.announce('evicted', { handle: handleOf(storedId) })
  context.announcer.announceEnd(storedId, 'evicted')
  return true
}

function limitReached(max: number): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_LIMIT', `as many sessions as "limit" allows (${max}) are there already`)
}
