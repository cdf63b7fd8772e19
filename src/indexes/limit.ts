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
 * So many sessions for one value of an index (`limit` option). A session is admitted before it is created: it gets an
 * entry, in one script, with which there are never more entries than allowed. Whose entry is dropped to make room is
 * ended; if it is only being created, it finds its entry gone afterwards and ends itself (`settleEntry`). So there are as
 * many sessions as entries, whoever logs in at the same time.
 */

/** How often others may be faster in making, or taking, room. */
const ATTEMPTS = 20
/** How often room is made by ending sessions, before places are taken from them first: that is exact among many logins. */
const GENTLE_ATTEMPTS = 2
/** Who is to go is chosen among so many entries; where there are more, among those that end first. */
const CONSIDERED = 200
/** In how many entries, at most, a login looks for one whose session is gone. */
const MOST_LOOKED_AT = 1000

/** The plug of the `limit` option. */
export function limiterOf(limit: Limit): Limiter {
  return {
    among: (entries) => entries.filter(({ name }) => name === limit.index),
    async admit(context, storedId, entries, replaced = [], member = storedId) {
      let isGoingOn = true
      if (entries.length === 0) return isGoingOn
      // A caller without a signal has as much time as any operation.
      const bounded = { ...context, signal: context.signal ?? signalFor(context.options.timeoutMs) }
      for (const entry of entries) isGoingOn &&= await admitTo(bounded, limit, { storedId, member, entry, replaced })
      return isGoingOn
    },
    endIfEvicted,
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

/** @param evictable those that may lose their places for it, in this order */
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
 * A limit that is new, or lower than it was, may find a user with thousands of sessions too many. A login ends as many as it can in half
 * its time; it then gets a place if only there are fewer than before, and the next login goes on.
 *
 * @param others how many there are besides this one
 * @returns how many there may be
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

/** A batch at a time: other requests are served in between. What has no session any more gives its place away, too. */
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

/** Of those that end first. Those that are only being created come last. What is gone gives its place away. */
async function leastRecentlySeen(context: Context, place: Place): Promise<{ members: Member[]; dropped: number }> {
  const found = await findAmong(context, await endingFirst(context, place), place.entry)
  const dropped = await dropGone(context, found, place.entry)
  const seen = ({ info }: Found) => (info === null ? Infinity : Number(info.seenAt))
  // Infinity minus Infinity is no number.
  return { members: found.sort((a, b) => seen(a) - seen(b) || 0), dropped }
}

async function endingFirst(context: Context, { storedId, entry, replaced }: Place): Promise<Member[]> {
  const members = await membersOf(context, entry, 0, CONSIDERED + replaced.length)
  return members.filter((member) => member.storedId !== storedId && !replaced.includes(member.storedId))
}

/**
 * Looks whether all places are taken by sessions that are there, or about to be. What is gone gives its place away.
 *
 * @throws ERR_SESSION_LIMIT
 */
async function assertRoom(context: Context, { storedId, entry, replaced }: Place, max: number): Promise<void> {
  let taken = 0
  for (let at = 0; taken < max && at < MOST_LOOKED_AT; ) {
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
 * Ends a session that has just been created, if its place was taken meanwhile.
 *
 * @returns whether it did
 */
async function endIfEvicted(
  context: Context,
  storedId: string,
  entries: readonly IndexEntry[],
  idleMs: number,
): Promise<boolean> {
  const settled = await Promise.all(entries.map((entry) => settleEntry(context, storedId, entry, idleMs)))
  if (settled.every(Boolean)) return false
  await evict(context, storedId)
  return true
}

/**
 * Ends a session whose place another one has taken.
 *
 * @returns whether there was one
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
