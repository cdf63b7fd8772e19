import { SessionStoreError } from '../errors.js'
import type { LoadedSession } from '../hash/decode.js'
import type { Context } from './context.js'
import { merge } from './convert-string.js'
import type { Delta } from './delta.js'
import { loadSession } from './load.js'
import { rewriteString } from './rewrite-string.js'
import { snapshot } from './snapshot.js'

/** How often others may write the session between our read and our write. */
const ATTEMPTS = 100

/**
 * Changes some properties of a session that stays a string (`convert: 'never'`). Does not prolong it.
 *
 * @param change changes the session object, and returns the same changes as fields; called again with what another server
 *   has written meanwhile
 * @returns undefined if the session is no string, and has to be changed as a hash
 */
export async function patchString(
  context: Context,
  storedId: string,
  change: (session: LoadedSession) => Delta,
): Promise<boolean | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const loaded = await loadSession(context, storedId)
    if (loaded === null || loaded.record.origin.kind === 'hash') return undefined
    const { session, record } = loaded
    // The snapshot computes index values from the session as it will be.
    const delta = change(session)
    const loadedNext = snapshot(context, session, record)
    const next = { ...loadedNext, fields: merge(loadedNext.fields, delta) }
    const manner = { keepsTtl: true, isStrict: true }
    const rewritten = await rewriteString(context, record, loaded.record.origin.sha1, next, delta, manner)
    if (rewritten === 'written') return true
    if (rewritten === 'gone') return false
    if (rewritten === 'hash') return undefined
  }
  throw new SessionStoreError('ERR_SESSION_CONFLICT', `a session changed ${ATTEMPTS} times while it was being patched`)
}
