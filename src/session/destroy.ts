import type { DestroyReason } from '../events.js'
import type { Context } from './context.js'
import { endKey } from './end-key.js'
import { endingOrder } from './move.js'

/** Ends a session. Nothing to end is no error; not knowing whether it ended is one. */
export async function destroySession(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
): Promise<void> {
  await endSession(context, storedIds, reason)
}

/**
 * The same. The order matters to what is just moving (session/move.ts).
 *
 * @returns whether there was one
 */
export async function endSession(
  context: Context,
  storedIds: readonly string[],
  reason: DestroyReason,
): Promise<boolean> {
  let ended: string | undefined
  for (const { storedId, isGoingOn } of endingOrder(storedIds)) {
    if (await endKey(context, storedId, reason, { isGoingOn })) ended = storedId
  }
  if (ended !== undefined) context.announcer.announceEnd(ended, reason)
  return ended !== undefined
}
