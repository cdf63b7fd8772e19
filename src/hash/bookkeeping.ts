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
  /** The whole field as it is stored. */
  text: string
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
  /** Whether no flag says anything but what the cookie has. */
  isOrdinary: boolean
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

/*
 * The names of all fields that are no properties. Each begins with `@`; a property of the application whose name does so is
 * stored with one more (hash/field-name.ts).
 */

export const BOOKKEEPING_FIELD = '@'
/** Attributes of the cookie that no flag says, in pieces: `@cookie`, `@cookie.1`, … */
export const COOKIE_FIELD = '@cookie'
/** What follows is the name of an index: `@i:user`. */
export const INDEX_FIELD_PREFIX = '@i:'
/** The id that the session has now, if it was ever renewed. */
export const RENEWAL_FIELD = '@renew'
/** When the user of the session last proved who they are: milliseconds since 1970 in base 36; 0: the login is stale. */
export const LOGIN_FIELD = '@login'
/** How surely the user has proved who they are, when, and how (hash/level-field.ts). */
export const LEVEL_FIELD = '@lv'
/** When the visitor of a session from an old cookie first came with the new one (session/adopt.ts), in base 36. */
export const ADOPTED_FIELD = '@af'
/** What `bindClient({ label: true })` calls the client that the session began with. */
export const CLIENT_FIELD = '@client'
/** Digests of the client that `bindClient` compares. Each address family has its own, because phones switch between them. */
export const CLIENT_DIGEST_FIELDS = ['@ip4', '@ip6', '@ua', '@ch'] as const
/** The public key of the device that `bindDevice` has bound the session to (middleware/device/device-key.ts). */
export const DEVICE_KEY_FIELD = '@dk'
/** The challenge that the device has to sign next, and when it was made (redis/scripts/device.ts). */
export const DEVICE_CHALLENGE_FIELD = '@dc'
/** The secret of the bound cookies, and since when the session is bound (hash/device-field.ts). */
export const DEVICE_BINDING_FIELD = '@db'
/** The token of a copy that is arriving, and the stored id that it comes from (session/move.ts). */
export const MOVE_TOKEN_FIELD = '@move'
export const MOVED_FROM_FIELD = '@from'
/** The stored id that a session has moved to. */
export const MOVED_TO_FIELD = '@to'

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
  const ofCookie = flags === '' ? '' : flags.replace(FLAGS, '')
  return {
    text: text as string,
    created,
    saves,
    createdAtMs,
    seenAtMs: createdAtMs + Number.parseInt(seen, 36),
    idleMs: Number.parseInt(idle, 36),
    flags: ofCookie,
    size: size === undefined ? undefined : Number.parseInt(size, 36),
    isOrdinary: ofCookie.length === flags.length,
    unexpiring: flags.includes(FLAG.unexpiring),
    isKept: flags.includes(FLAG.kept),
    hasEnded: flags.includes(FLAG.ended),
    isArriving: flags.includes(FLAG.arriving),
    hasMoved: flags.includes(FLAG.moved),
  }
}

/** Returns the bookkeeping of a session with a size after a write that changes nothing else of it. */
export function afterSave(meta: Bookkeeping, saves: string, size: number, seenAtMs: number): Bookkeeping {
  const { created } = meta
  const [seenEnd, idleEnd, savesEnd] = blanksIn(meta.text, created.length + 1)
  const seen = seenAtMs === meta.seenAtMs ? meta.text.slice(created.length + 1, seenEnd) : ageOf(meta, seenAtMs)
  const idle = meta.text.slice(seenEnd, idleEnd)
  const flags = meta.text.slice(savesEnd, meta.text.lastIndexOf('#'))
  const text = `${created} ${seen}${idle} ${saves}${flags}#${size.toString(36)}`
  return { ...meta, text, saves, size, seenAtMs }
}

/** Returns where the three words behind the first one end. */
function blanksIn(text: string, from: number): [number, number, number] {
  const first = text.indexOf(' ', from)
  const second = text.indexOf(' ', first + 1)
  return [first, second, text.indexOf(' ', second + 1)]
}

function ageOf({ createdAtMs }: Bookkeeping, seenAtMs: number): string {
  return (seenAtMs - createdAtMs).toString(36)
}

/** Returns the idle timeout as it is stored, in milliseconds. A request may have been told another one (`idleMs`). */
export function idleOf({ text }: Bookkeeping): number {
  return Number.parseInt(text.split(' ', 3)[2] as string, 36)
}

/** Returns a save counter after one more save. */
export function nextCount(saves: string): string {
  return (Number.parseInt(saves, 36) + 1).toString(36)
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
