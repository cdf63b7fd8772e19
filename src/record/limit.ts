import { SessionStoreError } from '../errors.js'
import { ADMIT, PENDING_MS } from '../redis/scripts/index-sessions.js'
import { handleOf } from '../redis/sid.js'
import type { Context } from './context.js'
import { endKey } from './end-key.js'
import { dropGone, findIn } from './find.js'
import type { IndexEntry } from './index-values.js'
import { membersOf, settleEntry } from './session-index.js'

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

/** The entries, of those of a session, that are limited in number. */
export function limitedAmong({ options }: Context, entries: readonly IndexEntry[]): IndexEntry[] {
  return entries.filter(({ name }) => name === options.limit?.index)
}

/**
 * @param replaced stored ids of the session that this one takes the place of
 * @throws ERR_SESSION_LIMIT if there are as many as allowed, and none of them is to be ended for it
 */
export async function admit(
  context: Context,
  storedId: string,
  entries: readonly IndexEntry[],
  replaced: readonly string[] = [],
): Promise<void> {
  for (const entry of entries) await admitTo(context, storedId, entry, replaced)
}

async function admitTo(
  context: Context,
  storedId: string,
  entry: IndexEntry,
  replaced: readonly string[],
): Promise<void> {
  const { gateway, keys, options } = context
  const limit = options.limit as NonNullable<typeof options.limit>
  let evictable: string[] = []
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const args = [storedId, PENDING_MS, limit.max, replaced.length, ...replaced, ...evictable]
    const reply = await gateway.script(ADMIT, keys.index(entry.name, entry.value), args)
    const [code, ...dropped] = reply as [number, ...string[]]
    await Promise.all(dropped.map((evicted) => evict(context, evicted, entry)))
    if (code === 1) return
    const others = (await leastRecentlySeen(context, entry)).filter((id) => id !== storedId && !replaced.includes(id))
    if (limit.onExceed === 'reject') {
      if (others.length >= limit.max) throw limitReached(limit.max)
    } else if (attempt < GENTLE_ATTEMPTS) {
      // Who is to go has his place until he has gone: if this fails half-way, `destroyBy` must still find him.
      const surplus = Math.max(0, others.length - limit.max + 1)
      await Promise.all(others.slice(0, surplus).map((evicted) => evict(context, evicted, entry)))
    } else {
      evictable = others
    }
  }
  throw new SessionStoreError('ERR_SESSION_CONFLICT', 'too many logins of one user at once')
}

/** Those that are only being created come last. What is gone gives its place away. */
async function leastRecentlySeen(context: Context, entry: IndexEntry): Promise<string[]> {
  const found = await findIn(context, entry)
  await dropGone(context, found, entry)
  const left = (await membersOf(context, entry)).map(({ storedId }) => storedId)
  const seen = new Map(found.map(({ storedId, info }) => [storedId, info === null ? Infinity : Number(info.seenAt)]))
  return left.sort((a, b) => (seen.get(a) ?? Infinity) - (seen.get(b) ?? Infinity))
}

/**
 * Ends a session that has just been created, if its place was taken meanwhile.
 *
 * @returns whether it did
 */
export async function endIfEvicted(
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

/** Ends a session whose place another one has taken. */
export async function evict(context: Context, storedId: string, only?: IndexEntry): Promise<void> {
  const handle = handleOf(storedId)
  const isEnded = await endKey(context, storedId, 'evicted', only)
  if (!isEnded) return
  context.announcer.announce('evicted', { handle })
  context.announcer.announce('destroyed', { handle, reason: 'evicted' })
}

/** Whether a write was refused because there are as many sessions as allowed. */
export function isLimitReached(err: unknown): boolean {
  return (err as { code?: string } | null)?.code === 'ERR_SESSION_LIMIT'
}

function limitReached(max: number): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_LIMIT', `as many sessions as "limit" allows (${max}) are there already`)
}
