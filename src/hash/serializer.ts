import { SessionStoreError } from '../errors.js'

/**
 * Turns one session property into text and back. `JSON`, superjson and devalue fit. A binary format must encode its
 * bytes as text, for example in base64.
 */
export interface Serializer {
  /** Returns the text of a value, not a promise. undefined: the property is not stored. */
  stringify(value: unknown): string
  /** Returns the value of a text, or a promise of it. */
  parse(text: string): unknown
}

/** Whether `parse` has returned a promise. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/**
 * Parses a text. With JSON, most texts are strings without escapes. Their value is the text between the quotes: `slice`
 * shares memory with the text, whereas JSON.parse copies. A raw control character, which JSON.stringify never writes,
 * is accepted.
 */
export function fromText(serializer: Serializer, text: string): unknown {
  return serializer === JSON && isPlainString(text) ? text.slice(1, -1) : serializer.parse(text)
}

/** Whether a text is the JSON of a string, and has no escapes. */
export function isPlainString(json: string): boolean {
  return json.startsWith('"') && json.indexOf('"', 1) === json.length - 1 && json.length > 1 && !json.includes('\\')
}

/**
 * True while a property is serialised: `toJSON` of a session inside it then returns the session
 * (requests/live-session.ts).
 */
export const serialising = { isUnderWay: false }

/** Serialises a property; undefined if the serializer omits the value, as JSON does with functions. */
export function toText(serializer: Serializer, property: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  let text: unknown
  const { isUnderWay } = serialising
  serialising.isUnderWay = true
  try {
    text = serializer.stringify(value)
  } catch (err) {
    // The serializer's error message may quote the value.
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
