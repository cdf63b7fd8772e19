import { SessionStoreError } from '../errors.js'

/**
 * Characters. An OpenID Connect issuer with a subject of 255 characters fits, and the cookie stays far below 4096
 * bytes.
 */
export const MAX_SID_LENGTH = 512

/**
 * The characters of a session id, which is user input (CVE-2015-3982): letters, digits, and the punctuation of URLs,
 * UUIDs, e-mail addresses, base64 and `issuer|subject`. No other character ever reaches Redis: control characters,
 * blanks and quotes, which logs and shells misread; glob characters, which administrators use in patterns; braces,
 * because with a Cluster hash tag the visitor could choose the slot; letters that look alike or become equal when
 * normalised.
 */
const SID = /^[\w\-.~:+/=,@|]{1,512}$/

export function isSid(value: unknown): value is string {
  return typeof value === 'string' && value !== '__proto__' && SID.test(value)
}

/** Names the rule that an invalid session id breaks, without repeating the id. */
function sidFault(value: unknown): string {
  if (typeof value !== 'string') return `it is no text (${typeof value})`
  if (value === '') return 'it is empty'
  if (value.length > MAX_SID_LENGTH) return `it is longer than ${MAX_SID_LENGTH} characters`
  if (value === '__proto__') return 'it is __proto__'
  if (isSid(value)) return 'it ends as the id of a renewed session does (~r1~…)'
  return 'it has a character that is none of A-Z a-z 0-9 - _ . ~ : + / = , @ |'
}

/** The parts of a session id (see hash/renewal-field.ts). */
export interface Sid {
  /** The id that the session began with. Its key depends on this part only. */
  first: string
  /** How often the id has been renewed; 0 for a first id. */
  generation: number
  /** Proof that this store has issued the id; empty for a first id. */
  proof: string
}

/** `x3J…~r2~Vb0…`: the first id, the number of renewals in base 36, and the proof. */
const RENEWED_SID = /^(.+)~r([1-9a-z][0-9a-z]{0,5})~([\w-]{22})$/

/** Splits a session id; null if the value cannot be one, and must not reach Redis. */
export function parseSid(value: unknown): Sid | null {
  if (!isSid(value)) return null
  if (!value.includes('~r')) return { first: value, generation: 0, proof: '' }
  const [, first, generation, proof] = RENEWED_SID.exec(value) ?? []
  if (first === undefined || generation === undefined || proof === undefined) {
    return { first: value, generation: 0, proof: '' }
  }
  return isSid(first) ? { first, generation: Number.parseInt(generation, 36), proof } : null
}

export function formatSid({ first, generation, proof }: Sid): string {
  return generation === 0 ? first : `${first}~r${generation.toString(36)}~${proof}`
}

/** @param id the value that is no session id; the error does not repeat it */
export function invalidId(id: unknown): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_INVALID_ID',
    `not a session id: ${sidFault(id)}. Where ids are made ("genid" option), encode what may hold others: Buffer.from(id).toString('base64url')`,
  )
}
