import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { formatSid, type Sid } from '../ids/sid.js'

/**
 * A renewed session has several ids, one per generation: its first id, which determines the key, and then
 * `<first id>~r<generation>~<proof>`. The proof is an HMAC of the first id and the generation, with a secret of the
 * session. Therefore the next id can be sent again without storing it, and nobody can compute it from a stolen id.
 *
 * The `@renew` field, five words: `2 mhk3o0x1 c u0 9fV…`
 *
 * - generation: the generation of the id issued last.
 * - since: when this id was issued or confirmed; milliseconds since 1970, by Redis's clock.
 * - u (unconfirmed): no request has used this id yet, so the previous one is still valid. c: confirmed, the previous
 *   one is outdated.
 * - grace: milliseconds after the confirmation for which requests with the previous id are served.
 * - secret: 128 random bits.
 */
export interface Generation {
  /** The generation of the id issued last. */
  generation: number
  /** When this id was issued or confirmed: milliseconds since 1970. */
  sinceMs: number
  isConfirmed: boolean
  secret: string
}

const FORM = /^([0-9a-z]{1,6}) ([0-9a-z]{1,10}) ([uc]) ([0-9a-z]{1,10}) ([\w-]{22})$/

/** Returns null if the text does not have this format. */
export function parseGeneration(text: string): Generation | null {
  const [, generation, since, state, , secret] = FORM.exec(text) ?? []
  if (generation === undefined || since === undefined || secret === undefined) return null
  return {
    generation: Number.parseInt(generation, 36),
    sinceMs: Number.parseInt(since, 36),
    isConfirmed: state === 'c',
    secret,
  }
}

export function newSecret(): string {
  return randomBytes(16).toString('base64url')
}

/** Computes the id issued last. */
export function latestSid(first: string, { generation, secret }: Generation): string {
  return formatSid({ first, generation, proof: proofOf(first, generation, secret) })
}

/**
 * How an id relates to its session.
 *
 * - `current`: the id issued last, and confirmed
 * - `successor`: the id issued last, and no request has used it before
 * - `predecessor`: the previous id, and no request has used the one issued last
 * - `outdated`: the previous id, and the one issued last is confirmed
 * - `reused`: older than the previous id
 * - `unknown`: not issued by this store
 */
export type Standing = 'current' | 'successor' | 'predecessor' | 'outdated' | 'reused' | 'unknown'

/** @param latest undefined for a session that was never renewed */
export function standingOf(sid: Sid, latest: Generation | undefined): Standing {
  if (latest === undefined) return sid.generation === 0 ? 'current' : 'unknown'
  if (sid.generation > 0 && !isEqual(sid.proof, proofOf(sid.first, sid.generation, latest.secret))) return 'unknown'
  const behind = latest.generation - sid.generation
  // The proof shows that this store issued the id. A failover of Redis has lost the record of it.
  if (behind < 0) return 'successor'
  if (behind === 0) return latest.isConfirmed ? 'current' : 'successor'
  if (behind === 1) return latest.isConfirmed ? 'outdated' : 'predecessor'
  return 'reused'
}

/** How an id may be used; `superseded`: only by requests within the grace, and by connections that began with it. */
export type Admission = Exclude<Standing, 'outdated'> | 'superseded'

/** Whether an id gives access to what is stored under it. */
export function isAdmitted(admission: Admission): boolean {
  return admission !== 'reused' && admission !== 'unknown'
}

/**
 * Determines how an id may be used on a connection that began while the id was valid. Once the id is outdated, the
 * connection may still read and write the session, but gets no cookie and nothing that requires a fresh login.
 */
export function heldAdmission(sid: Sid, latest: Generation | undefined): Admission {
  const standing = standingOf(sid, latest)
  return standing === 'outdated' || standing === 'reused' || standing === 'unknown' ? 'superseded' : standing
}

/** The id that a session was loaded with. */
export interface Presented {
  readonly sid: Sid
  admission: Admission
  /** When the id was issued or confirmed, or the session was created: milliseconds since 1970. */
  issuedAtMs: number
  /**
   * The id was valid when this object, or the one it was reloaded from, was loaded. It may be loaded again at any time.
   */
  readonly isHeld: boolean
}

function proofOf(first: string, generation: number, secret: string): string {
  const input = `connect-redis-hash generation ${generation} ${first}`
  return createHmac('sha256', secret).update(input).digest('base64url').slice(0, 22)
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
