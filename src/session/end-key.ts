import type { DestroyReason } from '../events.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn, type IndexEntry, without } from '../hash/index-fields.js'
import type { Answerer } from '../redis/replicas.js'
import { END, type EndReply } from '../redis/scripts/end.js'
import type { Context } from './context.js'
import { enter, leave } from './index-entries.js'
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
  /** Index entries that the session is believed to have, and how long it may stay unused. They are dropped with it. */
  known?: KnownEntries | undefined
  /** Called as soon as the master of the key has answered. */
  onReply?: (() => void) | undefined
}

export interface KnownEntries {
  entries: readonly IndexEntry[]
  idleMs: number
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
  const endIt = (noting: Ending) => isEndedAt(context, storedId, reason, noting)
  return reason === 'evicted' || reason === 'expired' ? endIt(ending) : replicated(context, storedId, ending, endIt)
}

/**
 * Deletes a session that goes on under another id, without `onEnd`. The caller must handle its index entries.
 *
 * @returns its content when it was deleted; null if there was no session
 */
export async function takeAway(context: Context, storedId: string, ending: Ending = {}): Promise<Remainder | null> {
  return replicated(context, storedId, ending, (noting) => end(context, storedId, null, noting))
}

/** Ends a session, and waits until replicas of the server that has answered have confirmed that. */
async function replicated<T>(
  { replicas }: Context,
  storedId: string,
  ending: Ending,
  endIt: (ending: Ending) => Promise<T>,
): Promise<T> {
  if (replicas === undefined) return endIt(ending)
  let by: Answerer | undefined
  const onReply = () => {
    by = replicas.answeredFor(storedId)
  }
  const result = await endIt({ ...ending, onReply })
  await replicas.confirm(storedId, by)
  return result
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
  const count = await gateway.del(keys.session(storedId))
  ending.onReply?.()
  return count === 1
}

async function end(
  context: Context,
  storedId: string,
  reason: DestroyReason | null,
  ending: Ending,
): Promise<Remainder | null> {
  const { gateway, endOfLife } = context
  const { only } = ending
  // A call for this one session includes a session that is still being created. A call for all sessions of a user
  // includes only those that exist.
  if (only === undefined) context.creations.cancel(storedId)
  const { reply, left } = await sendEnd(context, storedId, reason, ending)
  if (reply.kind === 'moved') {
    const to = await movedTo(context, storedId)
    if (to === null) return null
    return replicated(context, to, ending, (noting) => end(context, to, reason, noting))
  }
  if (reply.kind === 'arriving') {
    if (await hasArrived(context, storedId)) return end(context, storedId, reason, ending)
    // A call for all sessions of a user also ends the session at the key that this copy comes from.
    if (!ending.isGoingOn && only === undefined) await dropCopy(context, storedId, reply.token)
    return null
  }
  if (reply.kind === 'gone' || reply.kind === 'elsewhere') return null
  if (reason !== null && reply.kind === 'ended') endOfLife?.take(storedId)
  else if (reason !== null && reply.kind !== 'claimed') endOfLife?.deliver(storedId, reply, reason)
  if (reply.kind === 'ended-string') return { storedId, reply: [], text: reply.text }
  if (reason !== null) {
    const leaving = leave(context, storedId, without(entriesIn(pairsOf(reply.fields)), left))
    // One of many sessions: what follows the last one waits for all entries.
    await (reason === 'revoked' ? gateway.before(leaving) : leaving)
  }
  return { storedId, reply: reply.fields }
}

/**
 * Sends END. Where commands keep their order, it drops the known index entries right behind it, before the reply. If the
 * session has not ended, it is entered again.
 *
 * @returns `left`: the entries that are dropped
 */
async function sendEnd(
  context: Context,
  storedId: string,
  reason: DestroyReason | null,
  { only, known, onReply }: Ending,
): Promise<{ reply: EndReply; left: readonly IndexEntry[] }> {
  const { gateway, keys, options, endOfLife } = context
  const note = reason === null ? undefined : endOfLife?.ending(storedId)
  const found = only === undefined ? ['', ''] : [only.name, only.value]
  const keptMs = note === undefined ? '' : options.keepMs
  const args = [...found, keptMs, reason ?? '', options.absoluteMs ?? '', note?.claimMs ?? '']
  const sending = gateway.script(END, keys.session(storedId), args)
  const { entries: left, idleMs } = (gateway.keepsOrder && known) || { entries: [], idleMs: 0 }
  const leaving = leave(context, storedId, left)
  const comeBack = () => enter(context, storedId, left, idleMs)?.catch(() => undefined)
  const reply = await sending.catch(async (err: unknown) => {
    note?.settled(undefined)
    await comeBack()
    throw err
  })
  onReply?.()
  note?.settled(reply.kind === 'claimed' ? reply : undefined)
  await leaving
  if (reply.kind === 'moved' || reply.kind === 'arriving') await comeBack()
  return { reply, left }
}
