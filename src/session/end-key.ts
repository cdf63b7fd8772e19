import type { DestroyReason } from '../events.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn, type IndexEntry } from '../hash/index-fields.js'
import { END } from '../redis/scripts/end.js'

import type { Context } from './context.js'
import { leave } from './index-entries.js'
import { dropCopy, hasArrived, movedTo } from './leftovers.js'

/** What a key held when it was deleted. */
export interface Remainder {
  storedId: string
  /** HGETALL, flat; empty where it was no hash. */
  reply: readonly string[]
}

/** Which session is meant, and what is to become of one that is moving. */
interface Ending {
  /** Ends it only if it is to be found there. */
  only?: IndexEntry | undefined
  /** Where it is arriving will be looked at once more, or where it comes from: until then its copy may be all there is of it. */
  isGoingOn?: boolean
}

/**
 * Ends the session at one key, or where it has moved from there; drops its index entries, and sees to it that `onEnd` gets its
 * content. Replicas confirm also where there was none: an attempt before may have ended it, and have been told that none knew.
 *
 * @returns whether there was one
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
 * Deletes a session that goes on under another id, which is no end for `onEnd`. Its entries are left to the caller.
 *
 * @returns what it held then; null if there was none
 */
export async function takeAway(context: Context, storedId: string, ending: Ending = {}): Promise<Remainder | null> {
  const left = await end(context, storedId, null, ending)
  await context.replicas?.confirm(storedId)
  return left
}

/** Ends a session that is being ended with others. Resolves whether there was one. */
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
  // Who ends this session means the one that is being created, too; who ends all of a user, those that he has.
  if (only === undefined) context.creations.cancel(storedId)
  const isWanted = endOfLife !== undefined && reason !== null
  // A logout must not fail because nobody can be told to look.
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
    // Of all of a user, what it comes from is ended, too.
    if (!ending.isGoingOn && only === undefined) await dropCopy(context, storedId, reply.token)
    return null
  }
  if (reply.kind === 'gone' || reply.kind === 'elsewhere') return null
  if (isWanted) {
    if (reply.kind === 'ended') endOfLife.take(storedId)
    else endOfLife.deliver(storedId, reply, reason)
  }
  if (reply.kind === 'ended-string') return { storedId, reply: [] }
  if (reason !== null) await leave(context, storedId, entriesIn(pairsOf(reply.fields)))
  return { storedId, reply: reply.fields }
}
