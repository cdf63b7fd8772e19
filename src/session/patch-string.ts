import { SessionStoreError } from '../errors.js'
import type { Context } from './context.js'
import { merge } from './convert-string.js'
import type { Delta } from './delta.js'
import { loadSession } from './load.js'
import { rewriteString } from './rewrite-string.js'
import type { Loaded } from './session-record.js'
import { snapshot } from './snapshot.js'

/** How often others may write the session between our read and our write. */
const ATTEMPTS = 100

/** Changes of properties, as values and as fields. */
export interface PropertyChanges extends Delta {
  values: Readonly<Record<string, unknown>>
}

/**
 * Changes some properties of a session that stays a string (`convert: 'never'`). Does not prolong it.
 *
 * @param changesOf computes the changes, undefined if there are none to make; called again with what another server has
 *   written meanwhile
 * @returns `rewritten`: the string holds the changes; `no-string`: it has to be changed as a hash, or is gone
 */
export async function patchString(
  context: Context,
  storedId: string,
  changesOf: (loaded: Loaded) => PropertyChanges | undefined,
): Promise<'rewritten' | 'gone' | 'no-string'> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const loaded = await loadSession(context, storedId)
    if (loaded === null || loaded.record.origin.kind === 'hash') return 'no-string'
    const { session, record } = loaded
    const changes = changesOf(loaded)
    if (changes === undefined) return 'rewritten'
    // The snapshot computes index values from the session as it will be.
    Object.assign(session, changes.values)
    const loadedNext = snapshot(context, session, record)
    const delta = { set: [...changes.set], remove: [...changes.remove] }
    const next = { ...loadedNext, fields: merge(loadedNext.fields, delta) }
    const manner = { keepsTtl: true, isStrict: true }
    const rewritten = await rewriteString(context, record, loaded.record.origin.sha1, next, delta, manner)
    if (rewritten === 'written') return 'rewritten'
    if (rewritten === 'gone') return 'gone'
    if (rewritten === 'hash') return 'no-string'
  }
  throw new SessionStoreError('ERR_SESSION_CONFLICT', `a session changed ${ATTEMPTS} times while it was being patched`)
}
