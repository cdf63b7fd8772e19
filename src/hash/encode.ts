import type { SessionRecord } from '../session/session-record.js'
import { fieldOf, isProperty } from './field-name.js'
import type { Fields } from './fields.js'
import { type Serializer, toText } from './serializer.js'
import type { AnySession } from './session-data.js'

/**
 * The properties of a session as hash fields, without its cookie.
 *
 * @param record what the session was loaded from: what has not changed keeps its text
 */
export function encodeProperties(session: AnySession, serializer: Serializer, record?: SessionRecord): Fields {
  const fields: Fields = new Map()
  for (const property of Object.keys(session)) {
    if (!isProperty(property)) continue
    const field = fieldOf(property)
    const value = (session as Record<string, unknown>)[property]
    const text = record?.textOf(field, value) ?? toText(serializer, property, value)
    if (text !== undefined) fields.set(field, text)
  }
  return fields
}
