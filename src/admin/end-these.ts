import { endSession } from '../session/destroy.js'
import { type AdminAccess, withIndexes } from './admin-access.js'

/** Any index will do: its entries are dropped with those of all others. */
const ANY_INDEX = 'user'

/** Ends the sessions under these stored ids, with their entries in indexes. @returns how many there were */
export async function endThese(
  { context, within }: Pick<AdminAccess, 'context' | 'within'>,
  storedIds: readonly string[],
): Promise<number> {
  const indexed = context.options.indexes.length > 0 ? context : withIndexes(context, [ANY_INDEX])
  const ended = await within(Promise.all(storedIds.map((storedId) => endSession(indexed, [storedId], 'revoked'))))
  return ended.filter(Boolean).length
}
