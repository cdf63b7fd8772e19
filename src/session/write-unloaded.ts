import { SessionStoreError } from '../errors.js'
import type { Context } from './context.js'
import { convertInPlace } from './convert-in-place.js'
import { hasArrived } from './leftovers.js'
import { loadSession } from './load.js'
import { type PropertyChanges, patchString } from './patch-string.js'
import type { Loaded } from './session-record.js'
import { foreignKey } from './write-reply.js'

/** How often others may convert the session before we give up. Once is rare already. */
const ATTEMPTS = 100

/** A change of a session, for each of the two forms that a session may have. */
interface Work<T> {
  /** Changes a hash. Called again if the key did not hold one. */
  onHash(): Promise<T | { kind: 'foreign' }>
  /** Computes the change of a string that has to stay one (`convert: 'never'`). @returns undefined: nothing to change */
  onString(loaded: Loaded): PropertyChanges | undefined
}

/** `rewritten`: a string holds the change; if it had to be written, `saved` was announced. */
export type Unloaded<T> = Exclude<T, { kind: 'foreign' }> | { kind: 'rewritten' | 'gone' }

/**
 * Changes a session that the caller has not loaded, and whose form it therefore does not know: a hash, or a string of
 * connect-redis. Converts a string first, unless it has to stay one. Others may convert the session between any two
 * commands, there and back.
 *
 * @throws ERR_SESSION_FOREIGN_KEY if the key holds neither, ERR_SESSION_CONFLICT
 */
export async function writeUnloaded<T extends { kind: string; isArriving?: boolean }>(
  context: Context,
  storedId: string,
  { onHash, onString }: Work<T>,
): Promise<Unloaded<T>> {
  const staysString = context.options.convert === 'never'
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const patched = staysString ? await patchString(context, storedId, onString) : 'no-string'
    if (patched !== 'no-string') return { kind: patched }
    let reply = await onHash()
    // If the session was to move here and the process that moved it has died, this completes the move.
    if (reply.kind === 'gone' && 'isArriving' in reply && reply.isArriving && (await hasArrived(context, storedId)))
      reply = await onHash()
    if (reply.kind !== 'foreign') return reply as Unloaded<T>
    const loaded = await loadSession(context, storedId)
    if (loaded === null) {
      // The string may have ended meanwhile. What the key holds now is no session, or came after it.
      const last = await onHash()
      if (last.kind === 'foreign') throw foreignKey()
      return last as Unloaded<T>
    }
    if (!staysString) await convertInPlace(context, loaded)
  }
  throw new SessionStoreError(
    'ERR_SESSION_CONFLICT',
    `a session was converted ${ATTEMPTS} times while it was being written`,
  )
}
