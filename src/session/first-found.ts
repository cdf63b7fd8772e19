/**
 * The first answer among the stored ids a session may have; more than one only while `hashIds` changes. A session may
 * move to its first id just after we have looked there.
 */
export function firstOf<T>(
  storedIds: readonly string[],
  find: (storedId: string) => Promise<T | null>,
): Promise<T | null> {
  return storedIds.length === 1 ? find(storedIds[0] as string) : firstOfMany(storedIds, find)
}

async function firstOfMany<T>(
  storedIds: readonly string[],
  find: (storedId: string) => Promise<T | null>,
): Promise<T | null> {
  for (const storedId of [...storedIds, ...storedIds.slice(0, 1)]) {
    const found = await find(storedId)
    if (found !== null) return found
  }
  return null
}
