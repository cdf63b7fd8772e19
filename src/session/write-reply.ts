import { SessionStoreError } from '../errors.js'
import { type Bookkeeping, parseBookkeeping } from '../hash/bookkeeping.js'
import type { Context } from './context.js'
import { tooLarge } from './size.js'

/** What the writing scripts return (redis/scripts/*.ts), in words. */
export type WriteReply =
  | { kind: 'written'; meta: Bookkeeping }
  | { kind: 'contended'; meta: Bookkeeping; old: (string | null)[] }
  | { kind: 'outdated' }
  /** `isArriving`: it is moving here, and may be here already for who looks (session/leftovers.ts). */
  | { kind: 'gone'; isArriving?: boolean }
  | { kind: 'string'; text: string }
  | { kind: 'kept' }
  | { kind: 'moved' }
  | { kind: 'foreign' }

/** What scripts say of a copy that nobody takes for the session yet. */
export const ARRIVING = 'arriving'

/** @throws ERR_SESSION_TOO_LARGE: nothing was written */
export function readWriteReply(context: Context, reply: unknown): WriteReply {
  const [code, text, expirySet, ...old] = reply as [number, string?, number?, ...(string | null)[]]
  switch (code) {
    case 1:
    case 2: {
      const meta = parseBookkeeping(text)
      if (meta === null) break
      // A client with `stringNumbers` hands integers out as text.
      if (Number(expirySet) === 0) warnNoExpiry(context)
      return code === 1 ? { kind: 'written', meta } : { kind: 'contended', meta, old }
    }
    case 0:
      return { kind: 'gone', isArriving: text === ARRIVING }
    case 3:
      return { kind: 'string', text: text ?? '' }
    case 5:
      return { kind: 'outdated' }
    case 7:
      return { kind: 'kept' }
    case 8:
      throw tooLarge(Number(text), context.options.maxBytes)
    case 10:
      return { kind: 'moved' }
    case -1:
      return { kind: 'foreign' }
  }
  throw new SessionStoreError('ERR_SESSION_REDIS', 'Redis gave an unexpected reply to a script')
}

/** When Redis carried out the script, by its own clock, of a reply that says so (Script.tellsTime); undefined if nothing was written. */
export function timeOfWrite(reply: readonly unknown[]): number | undefined {
  const [code, text] = reply
  const meta = code === 1 || code === 2 ? parseBookkeeping(String(text)) : null
  return meta?.seenAtMs
}

/** The Redis user may do everything but this: degraded, and said so. */
export function warnNoExpiry(context: Context): void {
  context.announcer.announce('warning', {
    code: 'expire-forbidden',
    message: 'the Redis user may not run PEXPIRE: sessions are kept without TTL, only reads enforce the idle timeout',
  })
}

export function foreignKey(): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_FOREIGN_KEY',
    'the key of this session holds something that is not a session; it was left as it is',
  )
}
