import { hasId, type StoredIds } from '../ids/sid.js'

/**
 * The first answer among the stored ids a session may have; more than one only while `hashIds` changes. A session may
 * move to its first id just after we have looked there.
 *
 * @param isLeaving of an answer: the session was on its way elsewhere. It counts only if no other id has an answer: where a process
 * has died on the way, the session is there already, and what is left here is old (session/move.ts).
 */
export function firstOf<T>(
  storedIds: readonly string[],
  find: (storedId: string) => Promise<T | null>,
  isLeaving?: (found: T) => boolean,
): Promise<T | null> {
  if (!hasId(storedIds)) return Promise.resolve(null)
  return storedIds.length === 1 ? find(storedIds[0]) : firstOfMany(storedIds, find, isLeaving)
}

async function firstOfMany<T>(
  storedIds: StoredIds,
  find: (storedId: string) => Promise<T | null>,
  isLeaving: (found: T) => boolean = () => false,
): Promise<T | null> {
  let leaving: T | null = null
  for (const storedId of [...storedIds, storedIds[0]]) {
    const found = await find(storedId)
    if (found !== null && !isLeaving(found)) return found
    leaving ??= found
  }
  return leaving
}
