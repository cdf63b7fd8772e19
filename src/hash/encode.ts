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
  const fields: [field: string, text: string][] = []
  for (const property of Object.keys(session)) {
    if (!isProperty(property)) continue
    const field = fieldOf(property)
    const value = (session as Record<string, unknown>)[property]
    const text = known?.textOf(field, value) ?? toText(serializer, property, value)
    if (text === undefined) continue
    fields.push([field, text])
    known?.learn?.(field, value, text)
  }
  return fields
}
