import type { DestroyReason } from '../events.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn, type IndexEntry } from '../hash/index-fields.js'
import { END } from '../redis/scripts/end.js'

import type { Context } from './context.js'
import { leave } from './index-entries.js'
import { dropCopy, hasArrived, movedTo } from './leftovers.js'

/** Content of a key when it was deleted. */
export interface Remainder {
  storedId: string
  /** Flat reply of HGETALL; empty if the key was not a hash. */
  reply: readonly string[]
  /** What the key held if it was a string of connect-redis. */
  text?: string
}

/** Restricts which session to end, and says what to do with one that is moving. */
interface Ending {
  /** Ends the session only if it has this index entry. */
  only?: IndexEntry | undefined
  /**
   * The caller will also end the key that the session comes from, or come back to this key. Until then, the copy that
   * is arriving must stay, because it may be all that is left of the session.
   */
  isGoingOn?: boolean
}

/**
 * Ends the session at one key, or at the key it has moved to from there. Drops its index entries and hands its content
 * to `onEnd`. Waits for the replicas even if there was no session: an earlier attempt may have ended it, and may have
 * failed because no replica confirmed that.
 *
 * @returns whether there was a session
 */
export async function endKey(
  context: Context,
  storedId: string,
  reason: DestroyReason,
  ending: Ending = {},
): Promise<boolean> {
  const isEnded = await isEndedAt(context, storedId, reason, ending)
  if (reason !== 'evicted' && reason !== 'expired') await context.replicas?.confirm(storedId)
  return isEnded
}

/**
 * Deletes a session that goes on under another id, without `onEnd`. The caller must handle its index entries.
 *
 * @returns its content when it was deleted; null if there was no session
 */
export async function takeAway(context: Context, storedId: string, ending: Ending = {}): Promise<Remainder | null> {
  const left = await end(context, storedId, null, ending)
  await context.replicas?.confirm(storedId)
  return left
}

/** Ends one of several sessions that are being ended together. Resolves whether there was a session. */
export async function endRevoked(context: Context, storedId: string, only?: IndexEntry): Promise<boolean> {
  const isEnded = await endKey(context, storedId, 'revoked', { only })
  if (isEnded) context.announcer.announceEnd(storedId, 'revoked')
  return isEnded
}

async function isEndedAt(context: Context, storedId: string, reason: DestroyReason, ending: Ending): Promise<boolean> {
  const { gateway, keys, options, endOfLife, creations } = context
  const isSimple = options.indexes.length === 0 && endOfLife === undefined && !context.ids.areSeveral
  if (!isSimple) return (await end(context, storedId, reason, ending)) !== null
  creations.cancel(storedId)
  return (await gateway.del(keys.session(storedId))) === 1
}

async function end(
  context: Context,
  storedId: string,
  reason: DestroyReason | null,
  ending: Ending,
): Promise<Remainder | null> {
  const { gateway, keys, options, endOfLife } = context
  const { only } = ending
  const key = keys.session(storedId)
  // A call for this one session includes a session that is still being created. A call for all sessions of a user
  // includes only those that exist.
  if (only === undefined) context.creations.cancel(storedId)
  const isWanted = endOfLife !== undefined && reason !== null
  // Do not wait: a logout must not fail because this note cannot be written.
  if (isWanted) void endOfLife.ending(storedId)
  const found = only === undefined ? ['', ''] : [only.name, only.value]
  const args = [...found, isWanted ? options.keepMs : '', reason ?? '', options.absoluteMs ?? '']
  const reply = await gateway.script(END, key, args)
  if (reply.kind === 'moved') {
    const to = await movedTo(context, storedId)
    if (to === null) return null
    await context.replicas?.confirm(to)
    return end(context, to, reason, ending)
  }
  if (reply.kind === 'arriving') {
    if (await hasArrived(context, storedId)) return end(context, storedId, reason, ending)
    // A call for all sessions of a user also ends the session at the key that this copy comes from.
    if (!ending.isGoingOn && only === undefined) await dropCopy(context, storedId, reply.token)
    return null
  }
  if (reply.kind === 'gone' || reply.kind === 'elsewhere') return null
  if (isWanted) {
    if (reply.kind === 'ended') endOfLife.take(storedId)
    else endOfLife.deliver(storedId, reply, reason)
  }
  if (reply.kind === 'ended-string') return { storedId, reply: [], text: reply.text }
  if (reason !== null) await leave(context, storedId, entriesIn(pairsOf(reply.fields)))
  return { storedId, reply: reply.fields }
}
