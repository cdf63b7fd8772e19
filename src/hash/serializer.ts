import { SessionStoreError } from '../errors.js'

/**
 * Turns one session property into text and back. `JSON` fits, as do superjson and devalue; a binary format has to
 * encode its bytes as text. `parse` may be asynchronous.
 */
export interface Serializer {
  stringify(value: unknown): string
  parse(text: string): unknown
}

/** Whether what `parse` has given is still to come. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/**
 * What a text stands for. With JSON most are strings in which nothing is escaped: the value is then what is between the quotes, and V8
 * lets it share the memory of the text, where JSON.parse copies. A raw control character, which JSON never writes, is taken as it is.
 */
export function fromText(serializer: Serializer, text: string): unknown {
  return serializer === JSON && isPlainString(text) ? text.slice(1, -1) : serializer.parse(text)
}

function isPlainString(json: string): boolean {
  return json.startsWith('"') && json.indexOf('"', 1) === json.length - 1 && json.length > 1 && !json.includes('\\')
}

/** Set while a property is turned into text: a session that is part of it stands for itself then (requests/live-session.ts). */
export const serialising = { isUnderWay: false }

/** `undefined` where the serializer has nothing to keep, as JSON has for functions. */
export function toText(serializer: Serializer, property: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  let text: unknown
  const { isUnderWay } = serialising
  serialising.isUnderWay = true
  try {
    text = serializer.stringify(value)
  } catch (err) {
    // The message of the serializer's own error may quote the value.
    throw new SessionStoreError('ERR_SESSION_NOT_SERIALIZABLE', notSerializable(property, err))
  } finally {
    serialising.isUnderWay = isUnderWay
  }
  if (text === undefined || typeof text === 'string') return text
  throw new SessionStoreError(
    'ERR_SESSION_NOT_SERIALIZABLE',
    `serializer.stringify must return a string, got ${typeof text} for session property ${JSON.stringify(property)}`,
  )
}

function notSerializable(property: string, err: unknown): string {
  const kind = err instanceof Error ? err.name : 'error'
  return (
    `session property ${JSON.stringify(property)} cannot be serialised (${kind}): store plain data, ` +
    `or set the "serializer" option`
  )
}
