import type { DestroyReason } from '../events.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn } from '../hash/index-fields.js'
import type { Context } from '../session/context.js'
import { endAlongTrails, endSession } from '../session/destroy.js'
import type { Remainder } from '../session/end-key.js'
import { takeAway } from '../session/end-key.js'
import { type GoingOn, passOn } from '../session/going-on.js'
import { leave } from '../session/index-entries.js'
import { endingOrder } from '../session/move.js'
import { leaveTrail, markRotated } from '../session/trail.js'

/**
 * Ends a session whose visitor goes on under a new id. The marker leads nowhere; it only tells that a cookie with this
 * id is out of date, so that late requests do not answer with yet another one. Resolves whether there was a session.
 */
export async function retire(context: Context, storedIds: readonly string[], reason: DestroyReason): Promise<boolean> {
  for (const storedId of storedIds) await markRotated(context, storedId)
  return endSession(context, storedIds, reason)
}

/**
 * The same for a session that goes on itself. Resolves what it held then; null if there was none.
 *
 * @param goingOn learns where else the session turns out to have been found, which goes on, too
 */
export async function retireForNext(
  context: Context,
  storedIds: readonly string[],
  goingOn: GoingOn,
): Promise<Remainder | null> {
  let remainder: Remainder | null = null
  for (const { storedId, isGoingOn } of endingOrder(storedIds)) {
    await (goingOn.leavesTrail ? leaveTrail(context, storedId, goingOn.to) : markRotated(context, storedId))
    const left = await takeAway(context, storedId, { isGoingOn })
    if (left === null) continue
    const entries = entriesIn(pairsOf(left.reply))
    await passOn(context, goingOn, left.storedId, entries)
    await leave(context, left.storedId, entries)
    // The current id comes last: what is under an older one is on its way there.
    remainder = left
  }
  // A login, or a logout, ends who was there before, also under an id that another request has just given them.
  if (remainder === null && !goingOn.leavesTrail) await endAlongTrails(context, storedIds, 'destroyed')
  return remainder
}
