import { type Bookkeeping, parseBookkeeping } from '../../hash/bookkeeping.js'
import { integerAt, type ScriptReply, textAt, unexpectedReply } from './reply.js'

/* Replies that are shared by several scripts that change a session. */

export interface Written {
  kind: 'written'
  meta: Bookkeeping
  /** False if the Redis user may not set the TTL of the key. */
  isExpirySet: boolean
}

/** Written, but other requests have saved since the session was loaded. */
export interface Contended {
  kind: 'contended'
  meta: Bookkeeping
  isExpirySet: boolean
  /**
   * The previous texts of the fields that were set, then of those that were removed; empty if the caller does not
   * need them.
   */
  old: (string | null)[]
}

/** There is no such session. */
export interface Gone {
  kind: 'gone'
  /**
   * Whether the session is moving to this key. It may already have arrived when it is looked up again
   * (session/leftovers.ts).
   */
  isArriving: boolean
}

/** The key does not hold a session hash; it was left unchanged. */
export interface Foreign {
  kind: 'foreign'
}

/** The write would make the session larger, and exceed `maxBytes`: nothing was written. */
export interface TooLarge {
  kind: 'too-large'
  bytes: number
}

export const FOREIGN: Foreign = { kind: 'foreign' }

/** {…, '@' text, 1 | 0 expiry set} */
export function writtenIn(reply: ScriptReply): Written {
  return { kind: 'written', meta: metaAt(reply, 1), isExpirySet: integerAt(reply, 2) !== 0 }
}

/** {…, '@' text, 1 | 0 expiry set, old texts…} */
export function contendedIn(reply: ScriptReply, old: (string | null)[]): Contended {
  return { kind: 'contended', meta: metaAt(reply, 1), isExpirySet: integerAt(reply, 2) !== 0, old }
}

/** {0} or {0, 'arriving'} */
export function goneIn(reply: ScriptReply): Gone {
  return { kind: 'gone', isArriving: reply[1] === 'arriving' }
}

/** {8, bytes} */
export function tooLargeIn(reply: ScriptReply): TooLarge {
  return { kind: 'too-large', bytes: integerAt(reply, 1) }
}

/** An `@` text. */
export function metaAt(reply: ScriptReply, at: number): Bookkeeping {
  return parseBookkeeping(textAt(reply, at)) ?? unexpectedReply()
}

/**
 * Returns when the session was written by Redis's clock, because a write also sets the time at which the session was
 * last seen. Milliseconds since 1970; undefined if nothing was written.
 */
export function timeOfWrite({ meta }: { kind: string; meta?: Bookkeeping }): number | undefined {
  return meta?.seenAtMs
}
