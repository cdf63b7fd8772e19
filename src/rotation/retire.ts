import type { DestroyReason } from '../events.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn } from '../hash/index-fields.js'
import type { Context } from '../session/context.js'
import { endSession } from '../session/destroy.js'
import type { Remainder } from '../session/end-key.js'
import { takeAway } from '../session/end-key.js'
import { type GoingOn, passOn } from '../session/going-on.js'
import { leave } from '../session/index-entries.js'
import { endingOrder } from '../session/move.js'

/** How long requests that were under way with the old id are recognised: far longer than any of them takes. */
const MARKER_MS = 60_000

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
    await markRotated(context, storedId)
    const left = await takeAway(context, storedId, { isGoingOn })
    if (left === null) continue
    const entries = entriesIn(pairsOf(left.reply))
    await passOn(context, goingOn, left.storedId, entries)
    await leave(context, left.storedId, entries)
    // The current id comes last: what is under an older one is on its way there.
    remainder = left
  }
  return remainder
}

async function markRotated({ gateway, keys }: Context, storedId: string): Promise<void> {
  // Ending a session must not depend on Redis having memory left, or on the permission to write strings.
  await gateway.setMarker(keys.rotated(storedId), MARKER_MS).catch(() => undefined)
}

export async function wasRetired({ gateway, keys }: Context, storedIds: readonly string[]): Promise<boolean> {
  const found = await Promise.all(storedIds.map((storedId) => gateway.exists(keys.rotated(storedId))))
  return found.includes(true)
}
