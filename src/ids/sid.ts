import { createHash, createHmac } from 'node:crypto'

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
export function sidFault(value: unknown): string {
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

/** The stored ids that a session may have, the one for new sessions first; more than one only while `hashIds` changes. */
export type StoredIds = readonly [string, ...string[]]

/** False where an id was none: it has no stored ids. */
export function hasId(storedIds: readonly string[]): storedIds is StoredIds {
  return storedIds.length > 0
}

/** Turns the id in the cookie into the id Redis holds. */
export interface IdMapper {
  /** The stored id for new sessions first, then those that older secrets gave. */
  candidates(sid: string): StoredIds
}

/** `true` for a plain digest, an HMAC secret, or a list of these, current first. */
export type HashIds = boolean | string | readonly (string | true)[]

/** What a digest looks like. */
const DIGEST = /^[\w-]{43}$/

/** @param acceptPlainIds also look for sessions that were stored before ids were hashed */
export function idMapper(hashIds: HashIds, acceptPlainIds = false): IdMapper {
  if (hashIds === false) return { candidates: (sid) => [sid] }
  const ways: readonly (string | true)[] = typeof hashIds === 'object' ? hashIds : [hashIds]
  return {
    candidates(sid) {
      // options.ts refuses an empty list.
      const digests = ways.map((way) => digest(way, sid)) as [string, ...string[]]
      // Of a digest in Redis nobody may make a cookie: it would name its own key.
      return acceptPlainIds && !DIGEST.test(sid) ? [...digests, sid] : digests
    },
  }
}

function digest(way: string | true, sid: string): string {
  const hash = way === true ? createHash('sha256') : createHmac('sha256', way)
  return hash.update(sid).digest('base64url')
}

/**
 * The public name of a session: a digest of the stored id, so that a page or log may show it. Domain-separated from
 * `hashIds`, so that a handle is never a stored id either.
 */
export function handleOf(storedId: string): string {
  return createHash('sha256').update(`connect-redis-hash handle ${storedId}`).digest('base64url').slice(0, 22)
}
