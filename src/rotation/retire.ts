import type { DestroyReason } from '../events.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn } from '../hash/index-fields.js'
import type { Context } from '../session/context.js'
import { type Continuation, passOn } from '../session/continuation.js'
import { endAlongTrails, endSession } from '../session/destroy.js'
import type { KnownEntries, Remainder } from '../session/end-key.js'
import { takeAway } from '../session/end-key.js'
import { leave } from '../session/index-entries.js'
import { endingOrder } from '../session/move.js'
import { markRotated } from '../session/rotated-ids.js'

/**
 * Ends a session whose visitor continues under a new id. The marker leads to no session. It only says that a cookie
 * with this id is out of date, so that late requests do not answer with yet another id. Resolves to whether there
 * was a session.
 */
export async function retire(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
  known?: KnownEntries,
): Promise<boolean> {
  for (const storedId of storedIds) await context.gateway.before(markRotated(context, storedId))
  return endSession(context, storedIds, reason, known)
}

/**
 * Removes a session from its old ids because the session itself continues under a new one. Resolves to what it held
 * at its end; null if there was none.
 *
 * @param continuation is extended by index entries that the session turns out to have; they are carried over too
 */
export async function retireForNext(
  context: Context,
  storedIds: readonly string[],
  continuation: Continuation,
): Promise<Remainder | null> {
  let remainder: Remainder | null = null
  for (const { storedId, isGoingOn } of endingOrder(storedIds)) {
    if (!continuation.leavesTrail) await context.gateway.before(markRotated(context, storedId))
    const left = await takeAway(context, storedId, { isGoingOn })
    if (left === null) continue
    const entries = entriesIn(pairsOf(left.reply))
    await passOn(context, continuation, left.storedId, entries)
    await context.gateway.before(leave(context, left.storedId, entries))
    // The current id comes last: content under an older id is on its way to the current one.
    remainder = left
  }
  // A login or a logout ends the previous session, even under an id that another request has just given to it.
  if (remainder === null && !continuation.leavesTrail) await endAlongTrails(context, storedIds, 'destroyed')
  return remainder
}
