import { CorruptHash, decodeHash } from '../hash/decode.js'
import { propertyOf } from '../hash/field-name.js'
import type { AnySession } from '../hash/session-data.js'
import type { Context } from '../session/context.js'
import type { Remainder } from '../session/end-key.js'
import { unreadableHash } from '../session/load.js'
import type { SessionRecord } from '../session/session-record.js'

/**
 * A session goes on under a new id with what it held under the old one at its very end, not with what it held when
 * this request loaded it: others have saved in between, and have been told so.
 *
 * @param old the session as this request has it; what it has changed itself is its own
 * @param fresh the session that goes on
 * @param isKept whether a property goes along that this request has not written
 */
export async function mergeLateSaves(
  context: Context,
  { storedId, reply }: Remainder,
  record: SessionRecord,
  old: AnySession,
  fresh: AnySession,
  written: readonly string[],
  isKept: (property: string) => boolean,
): Promise<void> {
  if (reply.length === 0) return
  const decoded = await decodeHash(reply, context.options.serializer, context.codec.of(storedId))
  // What nobody can read is left behind.
  if (decoded instanceof CorruptHash) return void unreadableHash(context, storedId, decoded)
  const before = record.atLoad
  const now = decoded.fields.toMap()
  const ours = new Set(written)
  for (const field of new Set([...before.keys(), ...now.keys()])) {
    const property = propertyOf(field)
    if (property === undefined || now.get(field) === before.get(field)) continue
    // Removed by this request.
    const isRemoved = before.has(field) && !Object.hasOwn(old, property)
    if (isRemoved || ours.has(property) || !isKept(property)) continue
    if (now.has(field)) (fresh as Record<string, unknown>)[property] = decoded.session[property]
    else delete (fresh as Record<string, unknown>)[property]
  }
}
