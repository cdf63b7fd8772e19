import { type Bookkeeping, COOKIE_FIELD } from './bookkeeping.js'
import { isUsableCookie, type PlainCookie } from './live-cookie.js'
import { toText } from './serializer.js'
import { dropProto } from './session-data.js'

/**
 * The session's cookie attributes, encoded so that they take little memory.
 *
 * Flags in the bookkeeping field stand for common attributes. The others are JSON in `@cookie`, `@cookie.1`, …, split
 * into pieces of under 64 bytes, because one longer value would turn Redis's listpack into a hash table. Without flags
 * and fields, the cookie has express-session's defaults:
 * `{ originalMaxAge: null, expires: null, httpOnly: true, path: '/' }`.
 *
 * `expires` is not stored if it follows from `originalMaxAge`; see `restoreCookie`.
 */
export interface EncodedCookie {
  flags: string
  /** `@cookie` fields and their texts; empty for most sessions. */
  fields: [field: string, text: string][]
}

/** The cookie of a loaded session, if flags describe all of it. */
export interface LoadedCookie {
  plain: Readonly<PlainCookie>
  encoded: EncodedCookie
}

const NO_COOKIE = 'O'
/** `originalMaxAge` equals the idle timeout, and `expires` follows from it. */
const MAX_AGE = 'M'
/** `originalMaxAge` is a number, but `expires` is null. */
const NULL_EXPIRES = 'n'

const BY_FLAG: Readonly<Record<string, readonly [keyof PlainCookie, unknown]>> = {
  S: ['secure', true],
  s: ['secure', false],
  L: ['sameSite', 'lax'],
  T: ['sameSite', 'strict'],
  N: ['sameSite', 'none'],
  P: ['partitioned', true],
}
/** Attributes with a default that this cookie lacks. Absent differs from null and false. */
const ABSENT: Readonly<Record<string, keyof PlainCookie>> = {
  o: 'originalMaxAge',
  e: 'expires',
  h: 'httpOnly',
  p: 'path',
}
const FLAGS = Object.entries(BY_FLAG).map(([flag, [name, value]]) => [flag, name, value] as const)
const ABSENT_FLAGS = Object.entries(ABSENT)
const DEFAULTS: Readonly<PlainCookie> = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

/** Characters in each piece. The number of pieces, in front of the first one, has to fit into 64 bytes as well. */
const PIECE_LENGTH = 58

export function isCookieField(field: string): boolean {
  return field === COOKIE_FIELD || field.startsWith(`${COOKIE_FIELD}.`)
}

/**
 * @param cookie attributes after conversion to JSON; undefined for a session without cookie
 * @param idleMs idle timeout of the session
 * @param literal store `expires` exactly: for plain data whose expiry no request refreshes
 */
export function encodeCookie(cookie: PlainCookie | undefined, idleMs: number, literal: boolean): EncodedCookie {
  if (cookie === undefined) return { flags: NO_COOKIE, fields: [] }
  const { originalMaxAge, expires } = cookie
  const hasMaxAge = typeof originalMaxAge === 'number'
  const slides = hasMaxAge && Boolean(expires) && !literal
  let flags = slides && originalMaxAge === idleMs ? MAX_AGE : ''
  if (hasMaxAge && expires === null) flags += NULL_EXPIRES
  for (const [flag, name, value] of FLAGS) if (cookie[name] === value) flags += flag
  for (const [flag, name] of ABSENT_FLAGS) if (!(name in cookie)) flags += flag
  let rest: Record<string, unknown> | undefined
  for (const [name, value] of Object.entries(cookie)) {
    if (name === 'expires' && slides) continue
    if (name === 'originalMaxAge' && slides && originalMaxAge === idleMs) continue
    if (isFlagged(name, value) || (name in DEFAULTS && value === DEFAULTS[name as keyof PlainCookie])) continue
    rest ??= {}
    rest[name] = value
  }
  return { flags, fields: rest === undefined ? [] : inPieces(rest) }
}

function isFlagged(name: string, value: unknown): boolean {
  for (const [, flagged, meant] of FLAGS) if (name === flagged && value === meant) return true
  return false
}

/**
 * @param rest the texts of the `@cookie` fields, joined in order
 * @throws SyntaxError if `rest` is not a JSON object, or express-session could not use the cookie
 */
export function restoreCookie(
  meta: Pick<Bookkeeping, 'flags' | 'idleMs' | 'seenAtMs'>,
  rest: string,
): PlainCookie | undefined {
  if (meta.flags.includes(NO_COOKIE)) return undefined
  const cookie: PlainCookie = { ...DEFAULTS }
  for (const flag of meta.flags) {
    const known = BY_FLAG[flag]
    if (known !== undefined) Object.assign(cookie, { [known[0]]: known[1] })
    const absent = ABSENT[flag]
    if (absent !== undefined) delete cookie[absent]
  }
  if (meta.flags.includes(MAX_AGE)) cookie.originalMaxAge = meta.idleMs
  if (rest !== '') Object.assign(cookie, parseObject(rest))
  // A stored `expires` would become stale when the key's expiry is refreshed (tj/connect-redis#259), so derive it.
  if (typeof cookie.originalMaxAge === 'number' && cookie.expires === null && !meta.flags.includes(NULL_EXPIRES)) {
    cookie.expires = new Date(meta.seenAtMs + meta.idleMs).toISOString()
  }
  if (!isUsableCookie(cookie)) throw new SyntaxError('not a cookie')
  return cookie
}

function parseObject(json: string): object {
  const value: unknown = JSON.parse(json)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('not an object')
  return dropProto(value)
}

function inPieces(rest: Record<string, unknown>): [string, string][] {
  const json = toText(JSON, 'cookie', rest) ?? '{}'
  if (json === '{}') return []
  // Escape to ASCII, so that a piece of n characters has n bytes.
  const ascii = json.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  const count = Math.ceil(ascii.length / PIECE_LENGTH)
  return Array.from({ length: count }, (_, i) => {
    const piece = ascii.slice(i * PIECE_LENGTH, (i + 1) * PIECE_LENGTH)
    return i === 0 ? [COOKIE_FIELD, `${count}:${piece}`] : [`${COOKIE_FIELD}.${i}`, piece]
  })
}
