/**
 * The `@` field, six words: created, seen, idle, saves, flags, size. `h2mzk9w8qe 4fk 12kw0 3 MSL #2s`
 *
 * - created: microseconds since 1970. It also distinguishes a session from a later one under the same id.
 * - seen: milliseconds after creation at which the expiry was last refreshed.
 * - idle: idle timeout in milliseconds.
 * - saves: the number of saves that wrote properties.
 * - flags: the cookie's common attributes (hash/cookie.ts), and: X, Redis could not set an expiry; Y, the session is
 *   moving to this stored id; Z, it has moved away (session/move.ts); K, the key outlives the session; E, the session
 *   has ended (on-end/hand-over.ts).
 * - size: bytes of the properties, names and stored texts, for `maxBytes`. A session that was saved by a version
 *   without sizes has none until its next save.
 *
 * Numbers are in base 36 and share one field, because decimal numbers in separate fields make a small session a fifth
 * larger. The scripts read and write the same format (redis/scripts/bookkeeping.lua.ts).
 */
export interface Bookkeeping {
  /** The stored text, which scripts compare. */
  created: string
  /** The stored text, which scripts compare. */
  saves: string
  createdAtMs: number
  seenAtMs: number
  idleMs: number
  flags: string
  /** Bytes of the properties; undefined if they have not been counted. */
  size: number | undefined
  /** The key has no TTL although it should have one (an ACL forbids PEXPIRE). */
  unexpiring: boolean
  /** The key outlives the session, so that its content can be handed to `onEnd`. */
  isKept: boolean
  /** The session has ended; its content waits for `onEnd`. */
  hasEnded: boolean
  /** The session is moving to this key, and the move is not complete. */
  isArriving: boolean
  /** The session has moved to another key; this hash names that key. */
  hasMoved: boolean
}

export const BOOKKEEPING_FIELD = '@'

/** What a flag beside those of the cookie says; the members of `Bookkeeping` tell more. */
export const FLAG = { unexpiring: 'X', kept: 'K', ended: 'E', arriving: 'Y', moved: 'Z' } as const

const FLAGS = new RegExp(`[${Object.values(FLAG).join('')}]`, 'g')

const FORM =
  /^([0-9a-z]{1,12}) ([0-9a-z]{1,10}) ([0-9a-z]{1,10}) ([0-9a-z]{1,10})(?: ([A-Za-z]{1,16}))?(?: #([0-9a-z]{1,10}))?$/

/** Returns null if the text does not have this format. */
export function parseBookkeeping(text: string | null | undefined): Bookkeeping | null {
  const [, created, seen, idle, saves, flags = '', size] = FORM.exec(text ?? '') ?? []
  if (created === undefined || seen === undefined || idle === undefined || saves === undefined) return null
  const createdAtMs = stampToMs(created)
  return {
    created,
    saves,
    createdAtMs,
    seenAtMs: createdAtMs + Number.parseInt(seen, 36),
    idleMs: Number.parseInt(idle, 36),
    flags: flags.replace(FLAGS, ''),
    size: size === undefined ? undefined : Number.parseInt(size, 36),
    unexpiring: flags.includes(FLAG.unexpiring),
    isKept: flags.includes(FLAG.kept),
    hasEnded: flags.includes(FLAG.ended),
    isArriving: flags.includes(FLAG.arriving),
    hasMoved: flags.includes(FLAG.moved),
  }
}

/** @param created the stored text @returns milliseconds since 1970 */
export function stampToMs(created: string): number {
  return Math.floor(Number.parseInt(created, 36) / 1000)
}

/** Computes when the session ends if nobody uses it: milliseconds since 1970. */
export function expiresAtMs(meta: Bookkeeping, absoluteMs: number | undefined): number {
  const idleEnd = meta.seenAtMs + meta.idleMs
  return absoluteMs === undefined ? idleEnd : Math.min(idleEnd, meta.createdAtMs + absoluteMs)
}
