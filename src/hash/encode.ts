import { fieldOf, isProperty } from './field-name.js'
import type { FieldList } from './fields.js'
import { type Serializer, toText } from './serializer.js'
import type { AnySession } from './session-data.js'

/** Remembers which texts belong to which values, so that an unchanged value is not serialised again. */
export interface KnownTexts {
  /** Returns the text of a value, or undefined if it is not known. */
  textOf(field: string, value: unknown): string | undefined
  /** Called with each text that had to be made. */
  learn?(field: string, value: unknown, text: string): void
}

/**
 * Encodes the properties of a session as hash fields, without its cookie.
 *
 * @param known texts of the loaded session: an unchanged value keeps its text
 */
export function encodeProperties(session: AnySession, serializer: Serializer, known?: KnownTexts): FieldList {
  // These pairs become those of the fields. Pairs that this code makes would stay in memory (redis/clients/take-out.ts).
  const entries: [name: string, value: unknown][] = Object.entries(session)
  let count = 0
  for (const entry of entries) {
    const [property, value] = entry
    if (!isProperty(property)) continue
    const field = fieldOf(property)
    const text = known?.textOf(field, value) ?? toText(serializer, property, value)
    if (text === undefined) continue
    entry[0] = field
    entry[1] = text
    entries[count++] = entry
    known?.learn?.(field, value, text)
  }
  entries.length = count
  return entries as [field: string, text: string][]
}
