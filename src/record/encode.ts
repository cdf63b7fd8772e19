import { SessionStoreError } from '../errors.js'
import { fieldOf, isProperty } from './field-name.js'
import type { Fields } from './fields.js'
import { type Serializer, toText } from './serializer.js'
import type { AnySession } from './session-data.js'
import type { SessionRecord } from './session-record.js'

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

/** @throws ERR_SESSION_TOO_LARGE */
export function assertSize(fields: Iterable<readonly [string, string]>, maxBytes: number): void {
  let characters = 0
  for (const [field, text] of fields) characters += field.length + text.length
  // UTF-8 takes three bytes for one of them at most: only what comes near the limit has to be counted.
  if (characters * 3 <= maxBytes) return
  let bytes = 0
  for (const [field, text] of fields) bytes += Buffer.byteLength(field) + Buffer.byteLength(text)
  if (bytes > maxBytes) {
    throw new SessionStoreError(
      'ERR_SESSION_TOO_LARGE',
      `session of ${bytes} bytes is over the ${maxBytes} that the "maxBytes" option allows; nothing was saved`,
    )
  }
}
