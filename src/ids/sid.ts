import { SessionStoreError } from '../errors.js'

/** Characters of an id. An issuer of OpenID Connect and a subject of 255 fit in, and the cookie stays far below 4096 bytes. */
export const MAX_SID_LENGTH = 512

/**
 * A session id is user input (CVE-2015-3982). It holds letters, digits and what URLs, UUIDs, e-mail addresses, base64 and
 * `issuer|subject` need beside them. What else there is never reaches Redis: control characters, blanks and quotes, which
 * logs and shells misread; glob characters, which administrators put into patterns; braces (a Cluster hash tag would let
 * the visitor choose the slot); letters that look alike, or are the same once normalised, and are not.
 */
const SID = /^[\w\-.~:+/=,@|]{1,512}$/

export function isSid(value: unknown): value is string {
  return typeof value === 'string' && value !== '__proto__' && SID.test(value)
}

/** Which rule a value breaks that is no session id. Does not repeat it. */
function sidFault(value: unknown): string {
  if (typeof value !== 'string') return `it is no text (${typeof value})`
  if (value === '') return 'it is empty'
  if (value.length > MAX_SID_LENGTH) return `it is longer than ${MAX_SID_LENGTH} characters`
  if (value === '__proto__') return 'it is __proto__'
  if (isSid(value)) return 'it ends as the id of a renewed session does (~r1~…)'
  return 'it has a character that is none of A-Z a-z 0-9 - _ . ~ : + / = , @ |'
}

/** What the id of a renewed session says (hash/renewal-field.ts). */
export interface Sid {
  /** The id the session began with, which is all that its key has to do with. */
  first: string
  /** How often it has been renewed since: 0 for a first id. */
  generation: number
  /** That the id was issued by us; empty for a first id. */
  proof: string
}

/** `x3J…~r2~Vb0…`: the first id, how often it was renewed (base 36), proof. */
const RENEWED_SID = /^(.+)~r([1-9a-z][0-9a-z]{0,5})~([\w-]{22})$/

/** null for what can be no session id: Redis never hears of it. */
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

/** @param id what was given for one; the error does not repeat it */
export function invalidId(id: unknown): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_INVALID_ID',
    `not a session id: ${sidFault(id)}. Where ids are made ("genid" option), encode what may hold others: Buffer.from(id).toString('base64url')`,
  )
}
