import { SessionStoreError } from '../errors.js'
import type { Context } from './context.js'
import { endHere } from './destroy.js'

/**
 * Ends a new session whose write the client may have sent twice. The outcome of the first sending is unknown: it may
 * have written the session, and the visitor, who has the cookie from a response under way, may have ended it. The
 * second sending would then have brought it back.
 */
export async function takeBack(context: Context, storedId: string): Promise<never> {
  await endHere(context, [storedId], 'destroyed')
  throw new SessionStoreError(
    'ERR_SESSION_UNAVAILABLE',
    'the connection to Redis was lost while a new session was being saved; it was not kept',
  )
}
