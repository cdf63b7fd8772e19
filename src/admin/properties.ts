import { propertyOf } from '../hash/field-name.js'
import { pairsOf } from '../hash/fields.js'
import { loadString } from '../session/load.js'
import { readHash } from '../session/read-hash.js'
import type { AdminAccess } from './admin-access.js'

/** A property of a session as Redis holds it. */
export interface Property {
  name: string
  bytes: number
  /** undefined: it is encrypted, and the key is not known. */
  value: unknown
}

/** Reads the properties of a session with HGETALL, and GET for what connect-redis wrote. Prolongs nothing. */
export async function propertiesOf(
  { context, within }: Pick<AdminAccess, 'context' | 'within'>,
  storedId: string,
): Promise<Property[]> {
  const reply = await within(readHash(context, storedId))
  if (reply === null) return propertiesOfString(await within(loadString(context, storedId)))
  const codec = context.codec.of(storedId)
  return [...pairsOf(reply)].flatMap(([field, text]) => {
    const name = propertyOf(field)
    if (name === undefined) return []
    const bytes = Buffer.byteLength(text)
    try {
      return [{ name, bytes, value: parsed(codec.decode(field, text).text) }]
    } catch {
      return [{ name, bytes, value: undefined }]
    }
  })
}

/** A string of connect-redis holds all properties in one text. */
function propertiesOfString(loaded: Awaited<ReturnType<typeof loadString>>): Property[] {
  const { cookie: _, ...properties } = loaded?.session ?? {}
  return Object.entries(properties).map(([name, value]) => ({
    name,
    bytes: Buffer.byteLength(JSON.stringify(value) ?? ''),
    value,
  }))
}

/** What encryption makes of a text; no JSON begins like this. */
const ENCRYPTED = /^~[\w-]{44,}$/

/** The value of a text. That of another serializer than JSON is its text. */
function parsed(text: string): unknown {
  if (ENCRYPTED.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/**
 * A session's properties for programs: sizes by name, and the values that may be shown.
 *
 * @param isShown whether the value of a property may be shown
 */
export function propertiesJson(properties: readonly Property[], isShown: (name: string) => boolean): object {
  const sizes = Object.fromEntries(properties.map(({ name, bytes }) => [name, bytes]))
  const shown = properties.filter(({ name }) => isShown(name))
  if (shown.length === 0) return { properties: sizes }
  const values = Object.fromEntries(shown.map(({ name, value }) => [name, value ?? null]))
  const encrypted = shown.filter(({ value }) => value === undefined).map(({ name }) => name)
  return { properties: sizes, values, ...(encrypted.length > 0 && { encrypted }) }
}
