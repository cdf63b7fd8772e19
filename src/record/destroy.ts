import { handleOf } from '../redis/sid.js'
import type { Context } from './context.js'

/** Ends a session. Nothing to end is no error; not knowing whether it ended is one. */
export async function destroySession(
  context: Context,
  storedIds: readonly string[],
  reason: 'destroyed' | 'expired',
): Promise<void> {
  for (const storedId of storedIds) {
    const deleted = await context.gateway.del(context.keys.session(storedId))
    if (deleted === 1) context.announcer.announce('destroyed', { handle: handleOf(storedId), reason })
  }
}
