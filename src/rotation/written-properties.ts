import { encodeProperties, type KnownTexts } from '../hash/encode.js'
import { fieldOf, isProperty } from '../hash/field-name.js'
import type { AnySession } from '../hash/session-data.js'
import type { Context } from '../session/context.js'
import { sameValue } from '../session/delta.js'
import type { SessionRecord } from '../session/session-record.js'

/**
 * Returns the properties that the request has set or changed since the session was loaded.
 *
 * @param known texts that need not be serialized again
 */
export async function writtenProperties(
  { options: { serializer } }: Context,
  session: AnySession,
  record: SessionRecord | undefined,
  known: KnownTexts | undefined = record,
): Promise<string[]> {
  const own = Object.keys(session).filter(isProperty)
  if (record === undefined || !record.isLoaded) return own
  const before = record.atLoad
  const now = new Map(encodeProperties(session, serializer, known))
  const written: string[] = []
  for (const property of own) {
    const field = fieldOf(property)
    const text = now.get(field)
    const loaded = before.get(field)
    if (text === undefined || text === loaded) continue
    if (loaded === undefined || !(await sameValue(field, loaded, text, serializer))) written.push(property)
  }
  return written
}
