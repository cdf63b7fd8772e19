import { CREATE } from '../redis/scripts/create.js'
import { handleOf } from '../redis/sid.js'
import type { Context } from './context.js'
import { SessionRecord } from './session-record.js'
import { expiryMode, type Snapshot } from './snapshot.js'
import { foreignKey, readWriteReply } from './write-reply.js'

/** Writes a session that was never loaded, whatever was there. Resolves its record. */
export async function createSession(context: Context, storedId: string, next: Snapshot): Promise<SessionRecord | null> {
  const { gateway, keys, options, announcer } = context
  const args = [next.idle, options.absoluteMs ?? '', expiryMode(context), next.cookie.flags, ...[...next.fields].flat()]
  const reply = readWriteReply(context, await gateway.script(CREATE, keys.session(storedId), args))
  if (reply.kind === 'foreign') throw foreignKey()
  if (reply.kind !== 'written') {
    announcer.announce('destroyed', { handle: handleOf(storedId), reason: 'expired' })
    return null
  }
  announcer.announce('created', { handle: handleOf(storedId) })
  return new SessionRecord(storedId, { kind: 'hash', meta: reply.meta }, next.fields)
}
