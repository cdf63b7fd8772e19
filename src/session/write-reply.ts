import { SessionStoreError } from '../errors.js'
import type { TooLarge } from '../redis/scripts/session-reply.js'
import type { UpdateReply } from '../redis/scripts/update.js'
import type { Context } from './context.js'
import { tooLarge } from './size.js'

/** What a write has come to, of an UPDATE that was not too large. */
export type WriteReply = Exclude<UpdateReply, TooLarge>

/**
 * Says what a write means for every caller alike. To be given the reply of a script that writes a session.
 *
 * @throws ERR_SESSION_TOO_LARGE: nothing was written
 */
export function acceptWrite<Reply extends { kind: string; isExpirySet?: boolean }>(
  context: Context,
  reply: Reply | TooLarge,
): Reply {
  if (isTooLarge(reply)) throw tooLarge(reply.bytes, context.options.maxBytes)
  if (reply.isExpirySet === false) warnNoExpiry(context)
  return reply
}

function isTooLarge<Reply extends { kind: string }>(reply: Reply | TooLarge): reply is TooLarge {
  return reply.kind === 'too-large'
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
