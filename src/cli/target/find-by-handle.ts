import { withHandle } from '../../admin/selection.js'
import type { Opened } from './open-store.js'
import type { Walk } from './walk.js'

/**
 * Searches all keys for the session with this handle. That costs no command for each session: a handle is computed from
 * the stored id.
 *
 * @returns undefined if there is none, or if the walk was stopped
 */
export async function findByHandle<D>(store: Opened, walk: Walk<D>, handle: string): Promise<string | undefined> {
  let found: string | undefined
  await walk.round(
    (place) => store.keyspace.candidates(place),
    async (batch) => {
      walk.count += batch.length
      found = await withHandle(store, batch, handle)
      return found !== undefined
    },
  )
  return found
}
