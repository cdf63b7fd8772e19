import type { DestroyReason } from '../events.js'
import type { Context } from './context.js'
import { endKey } from './end-key.js'
import { endingOrder } from './move.js'
import { endTrails } from './trail.js'

/** Ends a session. Nothing to end is no error; not knowing whether it ended is one. */
export async function destroySession(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
): Promise<void> {
  await endSession(context, storedIds, reason)
}

/**
 * The same. If there is no session, another request may just have given it a new id, under which it ends, too.
 *
 * @returns whether there was one
 */
export async function endSession(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
): Promise<boolean> {
  return (await endHere(context, storedIds, reason)) || endAlongTrails(context, storedIds, reason)
}

/** The same for an id that no other request knows. The order matters to what is just moving (session/move.ts). */
export async function endHere(context: Context, storedIds: readonly string[], reason: DestroyReason): Promise<boolean> {
  let ended: string | undefined
  for (const { storedId, isGoingOn } of endingOrder(storedIds)) {
    if (await endKey(context, storedId, reason, { isGoingOn })) ended = storedId
  }
  if (ended !== undefined) context.announcer.announceEnd(ended, reason)
  return ended !== undefined
}

/** Ends what a session has become that is not under its id any more (session/trail.ts). */
export async function endAlongTrails(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
): Promise<boolean> {
  const seen = new Set(storedIds)
  let left = await endTrails(context, storedIds)
  while (left.length > 0) {
    for (const storedId of left) if (await endHere(context, [storedId], reason)) return true
    const further = await endTrails(context, left)
    left = further.filter((storedId) => !seen.has(storedId))
    for (const storedId of left) seen.add(storedId)
  }
  return false
}
