import { hasId, type StoredIds } from '../ids/id-mapper.js'

/**
 * Returns the first answer among the stored ids that a session may have. There is more than one only while `hashIds`
 * changes. The first id is tried again at the end, because the session may move there just after the first try.
 */
export function firstOf<T>(
  storedIds: readonly string[],
  find: (storedId: string) => Promise<T | null>,
): Promise<T | null> {
  if (!hasId(storedIds)) return Promise.resolve(null)
  return storedIds.length === 1 ? find(storedIds[0]) : firstOfMany(storedIds, find)
}

async function firstOfMany<T>(storedIds: StoredIds, find: (storedId: string) => Promise<T | null>): Promise<T | null> {
  for (const storedId of [...storedIds, storedIds[0]]) {
    const found = await find(storedId)
    if (found !== null) return found
  }
  return null
}
