/**
 * The `@` field, six words: created, seen, idle, saves, flags, size. `h2mzk9w8qe 4fk 12kw0 3 MSL #2s`
 *
 * - created: microseconds since 1970. Also tells one session from a later one under the same id.
 * - seen: milliseconds after creation at which the expiry was last refreshed.
 * - idle: idle timeout in milliseconds.
 * - saves: how often properties were written.
 * - flags: the cookie's common attributes (hash/cookie.ts); X where Redis could not set an expiry; Y while the
 *   session moves to this stored id, Z once it has moved away (session/move.ts); K where the key is to outlive the session, and E once the
 *   session has ended (on-end/hand-over.ts).
 * - size: bytes of the properties, names and stored texts, for `maxBytes`. A session from before sizes were kept has none
 *   until its next save.
 *
 * Numbers are in base 36, in one field: with plain numbers in fields of their own a small session is a fifth larger.
 * The scripts read and write the same form (redis/scripts/bookkeeping.lua.ts).
 */
export interface Bookkeeping {
  /** As stored, for comparison in scripts. */
  created: string
  /** As stored, for comparison in scripts. */
  saves: string
  createdAtMs: number
  seenAtMs: number
  idleMs: number
  flags: string
  /** Bytes of the properties; undefined: nobody has counted. */
  size: number | undefined
  /** Redis holds this key without a TTL although it should have one (EXPIRE forbidden by ACL). */
  unexpiring: boolean
  /** The key outlives the session, so that its content can be handed to `onEnd`. */
  isKept: boolean
  /** A session for nobody any more; its content waits for `onEnd`. */
  hasEnded: boolean
  /** On its way to this key: not there yet. */
  isArriving: boolean
  /** It has moved away: what is here says where to. */
  hasMoved: boolean
}

export const BOOKKEEPING_FIELD = '@'

/** What a flag beside those of the cookie says; the members of `Bookkeeping` tell more. */
export const FLAG = { unexpiring: 'X', kept: 'K', ended: 'E', arriving: 'Y', moved: 'Z' } as const

const FLAGS = new RegExp(`[${Object.values(FLAG).join('')}]`, 'g')

const FORM =
  /^([0-9a-z]{1,12}) ([0-9a-z]{1,10}) ([0-9a-z]{1,10}) ([0-9a-z]{1,10})(?: ([A-Za-z]{1,16}))?(?: #([0-9a-z]{1,10}))?$/

/** `null` for anything that is not of this form. */
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

/** @param created as stored */
export function stampToMs(created: string): number {
  return Math.floor(Number.parseInt(created, 36) / 1000)
}

/** When the session ends if nobody uses it any more: milliseconds since 1970. */
export function expiresAtMs(meta: Bookkeeping, absoluteMs: number | undefined): number {
  const idleEnd = meta.seenAtMs + meta.idleMs
  return absoluteMs === undefined ? idleEnd : Math.min(idleEnd, meta.createdAtMs + absoluteMs)
}
