import { WRITE_STRING } from '../redis/scripts/write-string.js'
import type { Context } from './context.js'
import { sha1Of } from './load.js'
import { SessionRecord } from './session-record.js'
import type { Snapshot } from './snapshot.js'
import { stringTextOf } from './string-text.js'
import { takeBack } from './take-back.js'

/** `string`: there is one already. It may be replaced if it is a session of connect-redis's. */
export type CreateStringReply = { kind: 'written'; record: SessionRecord } | { kind: 'string'; text: string }

/**
 * Writes a new session as a string that servers with connect-redis can read (`convert: 'never'`).
 *
 * @param replaceable SHA-1 of the string that this write may replace, '' = none
 * @returns null if there is a hash, which stays one
 */
export async function createString(
  context: Context,
  storedId: string,
  next: Snapshot,
  replaceable: string,
): Promise<CreateStringReply | null> {
  const { gateway, keys, options, announcer } = context
  const { text, cookie } = await stringTextOf(context, next)
  const { losses } = gateway
  const args = [replaceable, text, options.disableTTL ? '' : next.idle]
  let reply = await gateway.script(WRITE_STRING, keys.session(storedId), args)
  // What was to be replaced has ended meanwhile.
  if (reply.kind === 'gone') reply = await gateway.script(WRITE_STRING, keys.session(storedId), ['', ...args.slice(1)])
  if (reply.kind === 'foreign') return null
  if (reply.kind !== 'written') return reply.kind === 'string' ? reply : null
  if (replaceable === '' && gateway.losses !== losses) await takeBack(context, storedId)
  announcer.announceOf(storedId, 'created', {})
  const loadedLease = { idle: next.idle, cookie }
  const origin = { kind: 'string', sha1: sha1Of(text) } as const
  return {
    kind: 'written',
    record: new SessionRecord(storedId, origin, new Map(next.fields), { isLoaded: false, loadedLease }),
  }
}
