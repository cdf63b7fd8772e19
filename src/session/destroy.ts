import type { DestroyReason } from '../events.js'
import type { Context } from './context.js'
import { endKey, type KnownEntries } from './end-key.js'
import { endingOrder } from './move.js'
import { endTrails } from './rotated-ids.js'

/** Ends a session. It is no error if there is no session; it is one if the outcome is unknown. */
export async function destroySession(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
  known?: KnownEntries,
): Promise<void> {
  await endSession(context, storedIds, reason, known)
}

/**
 * Ends a session. If it is not found, another request may just have given it a new id; it is then ended under that id.
 *
 * @returns whether there was a session
 */
export async function endSession(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
  known?: KnownEntries,
): Promise<boolean> {
  return (await endHere(context, storedIds, reason, known)) || endAlongTrails(context, storedIds, reason)
}

/** Ends a session under these ids only. The order of the ids matters if the session is moving (session/move.ts). */
export async function endHere(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
  entries?: KnownEntries,
): Promise<boolean> {
  // With several ids, it is not known which one the entries name.
  const known = storedIds.length === 1 ? entries : undefined
  let ended: string | undefined
  for (const { storedId, isGoingOn } of endingOrder(storedIds)) {
    if (await endKey(context, storedId, reason, { isGoingOn, known })) ended = storedId
  }
  if (ended !== undefined) context.announcer.announceEnd(ended, reason)
  return ended !== undefined
}

/** Follows the trails of a session that is no longer under its id, and ends it under its new id (session/rotated-ids.ts). */
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
