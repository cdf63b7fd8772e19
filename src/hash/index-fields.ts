import { createHash } from 'node:crypto'
import { SessionStoreError } from '../errors.js'
import type { Fields } from './fields.js'
import { identityOf } from './identity.js'
import type { AnyContent } from './session-content.js'
import type { AnySession } from './session-data.js'

/*
 * Under which values a session is to be found, in bookkeeping fields of its own: `@i:user` holds `u-1`. Of several values
 * the first has their number in front, `2:admin`, and the others follow in `@i:role.1`, …; an empty one counts for nothing.
 * Values are percent-encoded, so that they contain no blank, colon, brace or glob character; one of over 44 bytes stands
 * as its digest, `#…`.
 */
const PREFIX = '@i:'
const LONGEST = 44
/** Of one session in one index. */
const MOST_VALUES = 100

/** The `indexes` option: functions of the session by name. */
export type Indexes = readonly (readonly [name: string, extract: (session: AnyContent) => unknown])[]

/** One place where a session is to be found. */
export interface IndexEntry {
  name: string
  /** Encoded. */
  value: string
}

export function isIndexField(field: string): boolean {
  return field.startsWith(PREFIX)
}

/** The field of an index, which says how many more there are. */
export function indexField(name: string): string {
  return PREFIX + name
}

/**
 * @param held the fields of the session as Redis holds it, for what is not to be found any more
 * @throws ERR_SESSION_INVALID_INDEX
 */
export function indexFields(indexes: Indexes, session: AnySession, held: ReadonlyMap<string, string>): Fields {
  const fields: Fields = new Map()
  for (const [name, extract] of indexes) {
    const values = valuesOf(name, extract(session as AnyContent))
    values.forEach((value, i) => {
      if (i > 0) fields.set(`${PREFIX}${name}.${i}`, value)
      else fields.set(PREFIX + name, values.length === 1 ? value : `${values.length}:${value}`)
    })
    for (const [field, text] of held) {
      const isOfThis = field === PREFIX + name || field.startsWith(`${PREFIX}${name}.`)
      if (isOfThis && text !== '' && !fields.has(field)) fields.set(field, '')
    }
  }
  return fields
}

/** @param fields any, of which those of indexes count */
export function entriesIn(fields: Iterable<readonly [string, string]>): IndexEntry[] {
  const texts = new Map([...fields].filter(([field]) => isIndexField(field)))
  return [...texts].flatMap(([field, text]) => {
    const name = field.slice(PREFIX.length)
    if (text === '' || name.includes('.')) return []
    const [, count = '1', first = ''] = /^(?:(\d+):)?(.*)$/.exec(text) ?? []
    const rest = Array.from(
      { length: Math.min(Number(count), MOST_VALUES) - 1 },
      (_, i) => texts.get(`${PREFIX}${name}.${i + 1}`) ?? '',
    )
    return [first, ...rest].filter(Boolean).map((value) => ({ name, value }))
  })
}

/** The fields of the values behind the first ones, of indexes that have several. */
export function furtherFields(fields: Iterable<readonly [string, string]>): string[] {
  return [...fields].flatMap(([field, text]) => {
    const count = Math.min(Number(/^(\d+):/.exec(text)?.[1] ?? 1), MOST_VALUES)
    return Array.from({ length: count - 1 }, (_, i) => `${field}.${i + 1}`)
  })
}

/** What is in `some` and not in `others`. */
export function without(some: readonly IndexEntry[], others: readonly IndexEntry[]): IndexEntry[] {
  return some.filter(({ name, value }) => !others.some((other) => other.name === name && other.value === value))
}

function valuesOf(name: string, extracted: unknown): string[] {
  const all = Array.isArray(extracted) ? extracted : [extracted]
  const values = all.filter((value) => value !== null && value !== undefined && value !== '')
  if (values.length > MOST_VALUES) throw invalidIndex(name, `more than ${MOST_VALUES} values`)
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
  if (encoded.length > 0 && encoded.length <= LONGEST) return encoded
  return `#${createHash('sha256').update(text).digest('base64url')}`
}

/** The value again; of a long one, its digest. */
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
