import { SessionStoreError } from '../errors.js'
import { CREATE } from '../redis/scripts/create.js'
import { handleOf } from '../redis/sid.js'
import type { Context } from './context.js'
import { fromString, sha1Of } from './load.js'
import { SessionRecord } from './session-record.js'
import { expiryMode, type Snapshot } from './snapshot.js'
import { foreignKey, readWriteReply } from './write-reply.js'

/** How often a string may change between our look at it and its replacement. */
const ATTEMPTS = 10

/** Writes a session that was never loaded, in place of what session there was. Resolves its record, null if it ended. */
export async function createSession(context: Context, storedId: string, next: Snapshot): Promise<SessionRecord | null> {
  const { gateway, keys, options, announcer } = context
  const head = [next.idle, options.absoluteMs ?? '', expiryMode(context), next.cookie.flags]
  let replaceable = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const args = [...head, replaceable, next.created ?? '', ...[...next.fields].flat()]
    const reply = readWriteReply(context, await gateway.script(CREATE, keys.session(storedId), args))
    switch (reply.kind) {
      case 'written':
        announcer.announce('created', { handle: handleOf(storedId) })
        return new SessionRecord(storedId, { kind: 'hash', meta: reply.meta }, next.fields, { isLoaded: false })
      case 'gone':
        announcer.announce('destroyed', { handle: handleOf(storedId), reason: 'expired' })
        return null
      case 'string':
        // Only what connect-redis wrote is ours to replace.
        if ((await fromString(context, storedId, reply.text)) === null) throw foreignKey()
        replaceable = sha1Of(reply.text)
        break
      default:
        throw foreignKey()
    }
  }
  throw new SessionStoreError('ERR_SESSION_CONFLICT', 'another store keeps rewriting this session as a string')
}
