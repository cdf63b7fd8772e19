import { SessionStoreError } from '../errors.js'
import type { TooLarge } from '../redis/scripts/session-reply.js'
import type { UpdateReply } from '../redis/scripts/update.js'
import type { Context } from './context.js'
import { tooLarge } from './size.js'

/** Reply of an UPDATE that was not refused because of its size. */
export type WriteReply = Exclude<UpdateReply, TooLarge>

/**
 * Handles the part of a reply that means the same for every caller. Every script that writes a session must pass its
 * reply through this function.
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

/** Warns that the Redis user may not run PEXPIRE. The store goes on without TTLs. */
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
