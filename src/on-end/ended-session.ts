import { CorruptHash, decodeHash } from '../hash/decode.js'
import { entriesIn } from '../hash/index-fields.js'
import type { SessionContent } from '../hash/session-content.js'
import { handleOf } from '../ids/handle.js'
import type { Context, Remains } from '../session/context.js'
import { infoFieldsIn, infoOf, valuesByIndex } from '../session/inspect.js'
import { fromString, unreadableHash } from '../session/load.js'
import type { EndedSession } from '../session-info.js'

/** Decodes what is left of an ended session. Resolves to null, with a `corrupt` event, if it cannot be read. */
export async function readRemains(
  context: Context,
  storedId: string,
  remains: Remains,
  endedAt: Date,
): Promise<EndedSession | null> {
  return 'text' in remains
    ? fromText(context, storedId, remains.text, endedAt)
    : fromFields(context, storedId, remains.fields, endedAt)
}

async function fromFields(
  context: Context,
  storedId: string,
  fields: readonly string[],
  endedAt: Date,
): Promise<EndedSession | null> {
  const decoded = await decodeHash(fields, context.options.serializer, context.codec.of(storedId))
  if (decoded instanceof CorruptHash) return unreadableHash(context, storedId, decoded)
  const texts = decoded.fields.toMap()
  const info = infoOf(context, storedId, decoded.meta, entriesIn(texts), infoFieldsIn(texts))
  return { session: decoded.session as SessionContent, info: { ...info, expiresAt: endedAt } }
}

/** connect-redis does not store a creation time, so all dates are the time of the end. */
async function fromText(context: Context, storedId: string, text: string, at: Date): Promise<EndedSession | null> {
  const loaded = await fromString(context, storedId, text)
  if (loaded === null) return null
  const session = loaded.session as SessionContent
  const indexes = valuesByIndex(context, entriesIn(loaded.record.indexFields))
  const info = { handle: handleOf(storedId), createdAt: at, seenAt: at, expiresAt: at, indexes, deviceBound: false }
  return { session, info }
}
