import { fieldOf, isProperty } from './field-name.js'
import type { Fields } from './fields.js'
import { type Serializer, toText } from './serializer.js'
import type { AnySession } from './session-data.js'

/** Tells the text that a value is known to have; undefined if none is known. */
export interface KnownTexts {
  textOf(field: string, value: unknown): string | undefined
  /** Is told of each text that had to be made. */
  learn?(field: string, value: unknown, text: string): void
}

/**
 * The properties of a session as hash fields, without its cookie.
 *
 * @param known what the session was loaded from, if it was: a value that has not changed keeps its text
 */
export function encodeProperties(session: AnySession, serializer: Serializer, known?: KnownTexts): Fields {
  const fields: Fields = new Map()
  for (const property of Object.keys(session)) {
    if (!isProperty(property)) continue
    const field = fieldOf(property)
    const value = (session as Record<string, unknown>)[property]
    const text = known?.textOf(field, value) ?? toText(serializer, property, value)
    if (text === undefined) continue
    fields.set(field, text)
    known?.learn?.(field, value, text)
  }
  return fields
}
