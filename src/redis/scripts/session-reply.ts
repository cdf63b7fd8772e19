import { type Bookkeeping, parseBookkeeping } from '../../hash/bookkeeping.js'
import { integerAt, type ScriptReply, textAt, unexpectedReply } from './reply.js'

/*
 * Replies that several scripts give which change a session.
 */

export interface Written {
  kind: 'written'
  meta: Bookkeeping
  /** False: the Redis user may not give the key its time to live. */
  isExpirySet: boolean
}

/** Written, but others have saved since the session was loaded. */
export interface Contended {
  kind: 'contended'
  meta: Bookkeeping
  isExpirySet: boolean
  /** What the fields that were set, and then those that were removed, held before; nothing where the caller does not need it. */
  old: (string | null)[]
}

/** There is no such session. */
export interface Gone {
  kind: 'gone'
  /** It is moving here, and may be here already for whoever looks (session/leftovers.ts). */
  isArriving: boolean
}

/** The key holds no session hash; it was left as it is. */
export interface Foreign {
  kind: 'foreign'
}

/** It would make the session larger, and larger than `maxBytes`: nothing was written. */
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

/** What is written is seen just then, by Redis's clock. Milliseconds since 1970; undefined if nothing was written. */
export function timeOfWrite({ meta }: { kind: string; meta?: Bookkeeping }): number | undefined {
  return meta?.seenAtMs
}
