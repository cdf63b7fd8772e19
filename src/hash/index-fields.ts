import { createHash } from 'node:crypto'
import { SessionStoreError } from '../errors.js'
import { INDEX_FIELD_PREFIX } from './bookkeeping.js'
import type { Fields } from './fields.js'
import { identityOf } from './identity.js'
import type { AnyContent } from './session-content.js'
import type { AnySession } from './session-data.js'

/*
 * The index values of a session are in bookkeeping fields: `@i:user` has the text `u-1`. If there are several values,
 * the first text begins with their number, `2:admin`, and the other values are in `@i:role.1`, …. An empty text means
 * no value. Values are percent-encoded, so that they contain no blank, colon, brace or glob character. A value of over
 * 44 bytes is replaced by its digest, `#…`.
 */
/** Bytes of an encoded value. */
const MAX_VALUE_LENGTH = 44
/** Maximum number of values that one session has in one index. */
const MAX_VALUES = 100

/** The `indexes` option as a list of names and functions of the session. */
export type Indexes = readonly (readonly [name: string, extract: (session: AnyContent) => unknown])[]

/** One index value of a session. */
export interface IndexEntry {
  name: string
  /** Percent-encoded, or a digest. */
  value: string
}

export function isIndexField(field: string): boolean {
  return field.startsWith(INDEX_FIELD_PREFIX)
}

/** Returns the first field of an index, which has the number of values. */
export function indexField(name: string): string {
  return INDEX_FIELD_PREFIX + name
}

/**
 * Computes the index fields of a session. A field that is no longer needed gets an empty text.
 *
 * @param held the fields that Redis holds
 * @throws ERR_SESSION_INVALID_INDEX
 */
export function indexFields(indexes: Indexes, session: AnySession, held: ReadonlyMap<string, string>): Fields {
  const fields: Fields = new Map()
  for (const [name, extract] of indexes) {
    const values = valuesOf(name, extract(session as AnyContent))
    values.forEach((value, i) => {
      if (i > 0) fields.set(`${INDEX_FIELD_PREFIX}${name}.${i}`, value)
      else fields.set(INDEX_FIELD_PREFIX + name, values.length === 1 ? value : `${values.length}:${value}`)
    })
    for (const [field, text] of held) {
      const isOfThis = field === INDEX_FIELD_PREFIX + name || field.startsWith(`${INDEX_FIELD_PREFIX}${name}.`)
      if (isOfThis && text !== '' && !fields.has(field)) fields.set(field, '')
    }
  }
  return fields
}

/** @param fields fields of a session; all but index fields are ignored */
export function entriesIn(fields: Iterable<readonly [string, string]>): IndexEntry[] {
  const texts = new Map([...fields].filter(([field]) => isIndexField(field)))
  return [...texts].flatMap(([field, text]) => {
    const name = field.slice(INDEX_FIELD_PREFIX.length)
    if (text === '' || name.includes('.')) return []
    const [, count = '1', first = ''] = /^(?:(\d+):)?(.*)$/.exec(text) ?? []
    const rest = Array.from(
      { length: Math.min(Number(count), MAX_VALUES) - 1 },
      (_, i) => texts.get(`${INDEX_FIELD_PREFIX}${name}.${i + 1}`) ?? '',
    )
    return [first, ...rest].filter(Boolean).map((value) => ({ name, value }))
  })
}

/** Returns the names of the fields that have the second and later values of each index. */
export function furtherFields(fields: Iterable<readonly [string, string]>): string[] {
  return [...fields].flatMap(([field, text]) => {
    const count = Math.min(Number(/^(\d+):/.exec(text)?.[1] ?? 1), MAX_VALUES)
    return Array.from({ length: count - 1 }, (_, i) => `${field}.${i + 1}`)
  })
}

/** Returns the entries of `some` that are not in `others`. */
export function without(some: readonly IndexEntry[], others: readonly IndexEntry[]): IndexEntry[] {
  return some.filter(({ name, value }) => !others.some((other) => other.name === name && other.value === value))
}

function valuesOf(name: string, extracted: unknown): string[] {
  const all = Array.isArray(extracted) ? extracted : [extracted]
  const values = all.filter((value) => value !== null && value !== undefined && value !== '')
  if (values.length > MAX_VALUES) throw invalidIndex(name, `more than ${MAX_VALUES} values`)
  return [...new Set(values.map((value) => encodeIndexValue(name, value)))]
}

/** @throws ERR_SESSION_INVALID_INDEX */
export function encodeIndexValue(name: string, value: unknown): string {
  const text = identityOf(value)
  if (text === undefined)
    throw invalidIndex(
      name,
      typeof value === 'string' ? 'a string with half a surrogate pair' : `a value of type ${typeof value}`,
    )
  const encoded = encodeURIComponent(text)
  if (encoded.length > 0 && encoded.length <= MAX_VALUE_LENGTH) return encoded
  return `#${createHash('sha256').update(text).digest('base64url')}`
}

/** Decodes a value. A long value stays a digest. */
export function decodeIndexValue(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}

function invalidIndex(name: string, what: string): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_INVALID_INDEX',
    `index "${name}" returned ${what}: it must return a string, a finite number, a bigint, a list of these, null or undefined`,
  )
}
