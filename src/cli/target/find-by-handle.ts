import { handleOf } from '../../ids/handle.js'
import type { Opened } from './open-store.js'
import { sessionsAmong } from './selection.js'
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
      const meant = batch.filter((storedId) => handleOf(storedId) === handle)
      const [one] = meant.length === 0 ? [] : await sessionsAmong(store, meant, undefined)
      found = one?.storedId
      return found !== undefined
    },
  )
  return found
}
