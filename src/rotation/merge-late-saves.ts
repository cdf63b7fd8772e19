import {
  DEVICE_BINDING_FIELD,
  DEVICE_CHALLENGE_FIELD,
  DEVICE_KEY_FIELD,
  LEVEL_FIELD,
  LOGIN_FIELD,
} from '../hash/bookkeeping.js'
import { CorruptHash, decodeHash } from '../hash/decode.js'
import { propertyOf } from '../hash/field-name.js'
import { toText } from '../hash/serializer.js'
import type { AnySession } from '../hash/session-data.js'
import type { Context } from '../session/context.js'
import type { Remainder } from '../session/end-key.js'
import { fromString, unreadableHash } from '../session/load.js'
import type { SessionRecord } from '../session/session-record.js'

/** The marks that a middleware may carry over from the old session. */
const MARKS = [DEVICE_KEY_FIELD, DEVICE_BINDING_FIELD, DEVICE_CHALLENGE_FIELD, LOGIN_FIELD, LEVEL_FIELD] as const

/**
 * Merges what other requests saved under the old id after this request loaded the session. Those requests have been
 * told that their saves succeeded, so the session must continue with its very last content.
 *
 * @param old the session as this request has it; changes that this request made take precedence, or are
 *   merged (`merge` option)
 * @param fresh the session that continues under the new id
 * @param isKept whether a property that this request has not written is carried over
 */
export async function mergeLateSaves(
  context: Context,
  remainder: Remainder,
  record: SessionRecord,
  old: AnySession,
  fresh: AnySession,
  written: readonly string[],
  isKept: (property: string) => boolean,
): Promise<void> {
  const late = await contentOf(context, remainder)
  if (late === null) return
  const before = record.atLoad
  const { fields: now, session } = late
  // The browser may have registered its key meanwhile, or another client may have made the login stale.
  for (const mark of MARKS) if (now.get(mark) !== record.heldText(mark)) record.holds(mark, now.get(mark))
  const ours = new Set(written)
  for (const field of new Set([...before.keys(), ...now.keys()])) {
    const property = propertyOf(field)
    if (property === undefined || now.get(field) === before.get(field)) continue
    // This request has removed the property.
    const isRemoved = before.has(field) && !Object.hasOwn(old, property)
    if (!isKept(property)) continue
    const isOurs = isRemoved || ours.has(property)
    if (!isOurs) put(fresh, property, (session as Record<string, unknown>)[property])
    else if (context.merger?.covers(field)) {
      const mine = toText(context.options.serializer, property, (old as Record<string, unknown>)[property])
      put(fresh, property, await context.merger.mergeLate(context, record, property, now.get(field), mine))
    }
  }
}

/** @param value undefined removes the property */
function put(session: AnySession, property: string, value: unknown): void {
  if (value === undefined) delete (session as Record<string, unknown>)[property]
  else (session as Record<string, unknown>)[property] = value
}

/** Decodes what a session held at its end. Content that cannot be read is not carried over. */
async function contentOf(context: Context, { storedId, reply, text }: Remainder) {
  if (text !== undefined) {
    const loaded = await fromString(context, storedId, text)
    return loaded && { fields: loaded.record.fields, session: loaded.session }
  }
  if (reply.length === 0) return null
  const decoded = await decodeHash(reply, context.options.serializer, context.codec.of(storedId))
  if (decoded instanceof CorruptHash) return unreadableHash(context, storedId, decoded)
  return { fields: decoded.fields.toMap(), session: decoded.session }
}
