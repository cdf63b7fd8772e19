import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { formatSid, type Sid } from '../ids/sid.js'

/**
 * The ids of one session follow each other in generations: its first id, which its key is made of, and then
 * `<first id>~r<generation>~<proof>`. The proof is an HMAC of first id and generation under a secret of the session's own,
 * so that the same next id can be sent again without being stored, and nobody can go on from a stolen one.
 *
 * The `@renew` field, five words: `2 mhk3o0x1 c u0 9fV…`
 *
 * - generation: of the id issued last.
 * - since: when it was issued, or confirmed; milliseconds since 1970, by Redis's clock.
 * - u: no client has come with it yet, so the one before is as good. c: confirmed, the one before is out of date.
 * - grace: milliseconds after the confirmation for which requests with the one before are served.
 * - secret: 128 random bits.
 */
export const GENERATION_FIELD = '@renew'

export interface Generation {
  generation: number
  sinceMs: number
  isConfirmed: boolean
  secret: string
}

const FORM = /^([0-9a-z]{1,6}) ([0-9a-z]{1,10}) ([uc]) ([0-9a-z]{1,10}) ([\w-]{22})$/

/** `null` for anything that is not of this form. */
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

/** The id of a session in the generation issued last. */
export function latestSid(first: string, { generation, secret }: Generation): string {
  return formatSid({ first, generation, proof: proofOf(first, generation, secret) })
}

/**
 * What an id is to its session. `current`; `successor`: issued last, and nobody has come with it before;
 * `predecessor`: the one before, while nobody has; `outdated`: the one before, but somebody has; `reused`: older than
 * that; `unknown`: not issued by us.
 */
export type Standing = 'current' | 'successor' | 'predecessor' | 'outdated' | 'reused' | 'unknown'

/** @param latest undefined for a session that was never renewed */
export function standingOf(sid: Sid, latest: Generation | undefined): Standing {
  if (latest === undefined) return sid.generation === 0 ? 'current' : 'unknown'
  if (sid.generation > 0 && !isEqual(sid.proof, proofOf(sid.first, sid.generation, latest.secret))) return 'unknown'
  const behind = latest.generation - sid.generation
  // One ahead is proved to be ours: a failover of Redis has lost that it was issued.
  if (behind < 0) return 'successor'
  if (behind === 0) return latest.isConfirmed ? 'current' : 'successor'
  if (behind === 1) return latest.isConfirmed ? 'outdated' : 'predecessor'
  return 'reused'
}

/** How the id that names a session may be used; `superseded`: for what is under way only, within the grace. */
export type Admission = Exclude<Standing, 'outdated'> | 'superseded'

/** Whether an id gives access to what is stored under it. */
export function isAdmitted(admission: Admission): boolean {
  return admission !== 'reused' && admission !== 'unknown'
}

/**
 * What an id may do that was in date when a connection began with it, and the connection goes on: it reads and writes, and gets
 * neither a cookie nor what takes a fresh login once it is out of date.
 */
export function heldAdmission(sid: Sid, latest: Generation | undefined): Admission {
  const standing = standingOf(sid, latest)
  return standing === 'outdated' || standing === 'reused' || standing === 'unknown' ? 'superseded' : standing
}

/** The id that a session was loaded with. */
export interface Presented {
  readonly sid: Sid
  admission: Admission
  /** When the id was issued, or confirmed, or the session was created: milliseconds since 1970. */
  issuedAtMs: number
  /** The id was in date when the object, or the one it was reloaded from, was loaded: it may be loaded again at any time. */
  readonly isHeld: boolean
}

function proofOf(first: string, generation: number, secret: string): string {
  const input = `connect-redis-hash generation ${generation} ${first}`
  return createHmac('sha256', secret).update(input).digest('base64url').slice(0, 22)
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
