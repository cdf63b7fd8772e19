import { encodeProperties, type KnownTexts } from '../hash/encode.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn, type IndexEntry, indexFields, without } from '../hash/index-fields.js'
import type { AnySession } from '../hash/session-data.js'
import type { Signal } from '../redis/deadline.js'
import type { Context } from '../session/context.js'
import { type Continuation, enterNext, pairOf } from '../session/continuation.js'
import type { Remainder } from '../session/end-key.js'
import { leaveTrail } from '../session/rotated-ids.js'
import type { SessionRecord } from '../session/session-record.js'
import { assertSize, bytesOf, bytesOfRecord } from '../session/size.js'
import type { Ancestor } from '../session/snapshot.js'

/*
 * A session gets another id in three steps. The old session is deleted before the new one exists. A failure in
 * between therefore leaves no second session, and the old id leads nowhere.
 *
 *     1 admitNext       checks the limits of size and number, enters the session where it continues
 *                       (session/continuation.ts), and leaves the trail to its next id (session/rotated-ids.ts)
 *     2 retireForNext   deletes the old session, and returns what it held
 *     3 mergeLateSaves  takes over what other requests have saved meanwhile
 *
 * The next save of the new session object writes it.
 */

/** A session whose visitor is about to get another id. */
export interface Before {
  ids: readonly string[]
  record: SessionRecord | undefined
  /** The session must not continue if it has ended. */
  mustExist: boolean
}

/**
 * Checks the limits for a session that is about to replace another one, and enters it into the indexes.
 *
 * @param to stored id of the next session
 * @param next the session that continues
 * @param known texts of properties that need not be serialized again
 * @returns null if the previous session is just being ended, and `mustExist`
 * @throws ERR_SESSION_TOO_LARGE, ERR_SESSION_LIMIT
 */
export async function admitNext(
  context: Context,
  to: string,
  next: AnySession,
  { ids, record, mustExist }: Before,
  known: KnownTexts | undefined,
  signal: Signal,
): Promise<Continuation | null> {
  const { indexes, serializer } = context.options
  const codec = context.codec.of(to)
  const fields = [...encodeProperties(next, serializer, known)]
  const stored = fields.map(([field, text]) => [field, codec.encode(field, text)] as const)
  assertSize(context, stored, record && bytesOfRecord(record))
  const from = record?.storedId ?? (ids[0] as string)
  const held = entriesIn(record?.indexFields ?? new Map())
  const wanted = indexes.length === 0 ? [] : entriesIn(indexFields(indexes, next, new Map()))
  // With `mustExist` the session belongs to the same user, so all its entries continue, even if it is older than the
  // index.
  const entries = mustExist ? wanted : without(wanted, without(wanted, held))
  const continuation: Continuation = { from, to, ids, held, entries, leavesTrail: mustExist }
  const entering = enter({ ...context, signal }, continuation, wanted)
  if (!mustExist) return entering.then(() => continuation)
  return (await goesOnAlongTrail(context, continuation, entering)) ? continuation : null
}

/** Leaves the trail to the next id. Resolves false if the session is just being ended; the trail then leads nowhere. */
async function goesOnAlongTrail(
  context: Context,
  { ids, to }: Continuation,
  entering: Promise<boolean>,
): Promise<boolean> {
  const leaveTrails = () => Promise.all(ids.map((storedId) => leaveTrail(context, storedId, to)))
  if (context.gateway.keepsOrder) return (await Promise.all([entering, leaveTrails()]))[0]
  if (!(await entering)) return false
  await leaveTrails()
  return true
}

async function enter(context: Context, continuation: Continuation, wanted: readonly IndexEntry[]): Promise<boolean> {
  const { limiter } = context
  const { from, to, ids, entries } = continuation
  const limited = limiter?.among(wanted) ?? []
  const isNew = without(limited, entries)
  if (isNew.length > 0) {
    await limiter?.admit(context, to, isNew, ids)
    continuation.admitted = { entries: isNew, at: performance.now() }
  }
  const goesOn = await limiter?.admit(context, to, without(limited, isNew), ids, pairOf(from, to))
  if (goesOn === false) return false
  return enterNext(context, continuation, without(entries, limited))
}

/**
 * Describes the previous session: the next one keeps its creation time, and may be as large.
 *
 * @param left what the previous session held when it was deleted
 */
export function ancestorOf(from: SessionRecord, left: Remainder | null, continuation: Continuation): Ancestor {
  const created = from.origin.kind === 'hash' ? from.origin.meta.created : undefined
  const bytes = Math.max(bytesOfRecord(from), left === null ? 0 : bytesOf(pairsOf(left.reply)))
  return { created, bytes, continuation }
}
