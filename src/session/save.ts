import { type Bookkeeping, nextCount } from '../hash/bookkeeping.js'
import type { SessionCodec } from '../hash/codec.js'
import { isCookieField } from '../hash/cookie.js'
import { isSameLifetime } from '../hash/live-cookie.js'
import { UPDATE } from '../redis/scripts/update.js'
import { announceConflict } from './announce-conflict.js'
import type { Context, SendDelta } from './context.js'
import { convertString } from './convert-string.js'
import { applyDelta, type Delta, difference, doubtDelta, fieldsOf, isEmpty, partOf } from './delta.js'
import { loadSession, NO_STRING } from './load.js'
import { isHome, moveHome, writeWherever } from './move.js'
import { quickSave } from './quick-save.js'
import { rewriteString } from './rewrite-string.js'
import type { SessionRecord } from './session-record.js'
import { isUndercounted } from './size.js'
import { expiryMode, type Lease, type Snapshot } from './snapshot.js'
import { isTouchDue } from './touch-due.js'
import { UNKNOWN } from './update-fields.js'
import { NOWHERE, type Placing, placingOf, writeIndexed } from './write-indexed.js'
import { acceptWrite, type WriteReply } from './write-reply.js'

/** Writes the changes made since the session was loaded, unless the session has ended meanwhile. */
export function saveSession(context: Context, record: SessionRecord, next: Snapshot): Promise<void> {
  // Nearly every session is under its current id, and JSON is synchronous: such a save need not wait for anything.
  if (!isHome(record)) return moveHome(context, record).then(() => saveAtHome(context, record, next))
  return saveAtHome(context, record, next)
}

function saveAtHome(context: Context, record: SessionRecord, next: Snapshot): Promise<void> {
  const comparing = difference(record, next.fields, context.options.serializer)
  if (comparing instanceof Promise) return comparing.then((delta) => saveDelta(context, record, next, delta))
  return saveDelta(context, record, next, comparing)
}

function saveDelta(context: Context, record: SessionRecord, next: Snapshot, delta: Delta): Promise<void> {
  const { origin } = record
  if (origin.kind === 'string') return saveString(context, record, origin.sha1, next, delta)
  const hasNews = !isEmpty(delta) || record.outdated.size > 0 || isTouchDue(context, record, origin.meta, next)
  return hasNews ? writeDelta(context, record, origin.meta, next, delta) : Promise.resolve()
}

/** Saves a session that was loaded from connect-redis's string. */
export async function saveString(
  context: Context,
  record: SessionRecord,
  sha1: string,
  next: Snapshot,
  delta: Delta,
): Promise<void> {
  const { convert } = context.options
  const merged = context.merger && partOf(delta, (field) => context.merger?.covers(field) === true)
  if (merged && !isEmpty(merged) && convert !== 'never') return saveMerged(context, record, sha1, next, delta, merged)
  const saved =
    convert === 'never'
      ? await rewriteString(context, record, sha1, next, delta)
      : (await convertString(context, record, sha1, next, delta)) || 'gone'
  if (saved === true || saved === 'written') return
  // Another request may have converted the session, and a third one may have moved it. The string had no creation
  // stamp, so none can be compared.
  if (saved === 'hash' || record.storedIds.length > 1)
    return writeDelta(context, record, { created: '', saves: UNKNOWN }, next, delta)
  record.hasEnded = true
  context.announcer.announceOf(record.storedId, 'refused', { operation: 'save' })
}

/** A string that becomes a hash has no save counter yet: makes a hash of it first, and then merges into that. */
async function saveMerged(
  context: Context,
  record: SessionRecord,
  sha1: string,
  next: Snapshot,
  delta: Delta,
  merged: Delta,
): Promise<void> {
  const fields = new Map(next.fields)
  for (const field of fieldsOf(merged)) {
    const text = record.fields.get(field)
    if (text === undefined) fields.delete(field)
    else fields.set(field, text)
  }
  const others = partOf(delta, (field) => context.merger?.covers(field) !== true)
  await saveString(context, record, sha1, { ...next, fields: [...fields] }, others)
  if (record.origin.kind === 'hash' && !record.hasEnded)
    await writeDelta(context, record, record.origin.meta, next, merged)
}

/** Changes the session if it still exists. Refreshes its expiry if that is due. */
export async function writeDelta(
  context: Context,
  record: SessionRecord,
  meta: Pick<Bookkeeping, 'created' | 'saves'>,
  next: Lease,
  delta: Delta,
): Promise<void> {
  const { announcer } = context
  const isSave = !isEmpty(delta)
  const lease = leaseOf(context, record, next, delta)
  const doubted = record.isCertain ? NOTHING : new Set(record.uncertain)
  const reply = await sendDelta(context, record, meta, next, lease, delta)
  const now = reply.kind === 'foreign' ? await loadSession(context, record.storedId) : null
  if (now !== null && isSave) {
    // connect-redis, which still runs on another server, has overwritten the hash. Merge our changes into its string, or
    // into the hash that another request may have made of it since.
    return saveString(context, record, NO_STRING, { ...next, fields: [] }, delta)
  }
  if (reply.kind !== 'written' && reply.kind !== 'contended') {
    record.hasEnded = true
    announcer.announceOf(record.storedId, 'refused', { operation: isSave ? 'save' : 'touch' })
    return
  }
  if (reply.kind === 'contended')
    announceConflict(context, record, doubted, delta, decodeOld(context.codec.of(record.storedId), delta, reply.old))
  record.isWhole &&= reply.kind === 'written' && reply.meta.saves === (isSave ? nextCount(meta.saves) : meta.saves)
  record.origin = { kind: 'hash', meta: lease.isOthers ? withLeaseOf(reply.meta, record) : reply.meta }
  context.merger?.followed(record, isSave ? nextCount(meta.saves) : meta.saves, reply.meta.saves)
  record.outdated = NOTHING_OUTDATED
  applyDelta(record, delta)
  if (reply.isEnded) record.hasEnded = true
  record.hasSaved ||= isSave
  if (isSave) announcer.announceOf(record.storedId, 'saved', { fields: delta.set.length + delta.remove.length })
}

const NOTHING: ReadonlySet<string> = new Set()
const NOTHING_OUTDATED: ReadonlyMap<string, string> = new Map()

/** Sends the changes to the stored id of the session; if there is no session, to the others that it may have. */
function sendDelta(
  context: Context,
  record: SessionRecord,
  meta: Pick<Bookkeeping, 'created' | 'saves'>,
  next: Lease,
  lease: WrittenLease,
  delta: Delta,
): Promise<WriteReply & { isEnded?: boolean }> {
  const { merger } = context
  // A write that changes the lease takes the long way, and so does one that encrypts fields anew.
  let isQuick = lease.isOthers && record.outdated.size === 0
  const write: SendDelta = (changes, saves, isStrict) => {
    const atLength = () => update(context, record, { created: meta.created, saves }, lease, changes, isStrict)
    const isFirst = isQuick && changes === delta && saves === meta.saves
    const writing = isFirst ? quickSave(context, record, delta, lease.slides, atLength) : undefined
    isQuick = false
    doubtDelta(record, delta)
    return writing ?? atLength()
  }
  // Most stores have neither indexes nor `onEnd`.
  const isPlaced = context.options.indexes.length > 0 || context.endOfLife !== undefined
  const placing = isPlaced ? placingIn(context, record, next, lease, delta) : NOWHERE
  const send = () =>
    writeIndexed(context, record.storedId, placing, () =>
      merger === undefined ? write(delta, meta.saves, false) : merger.write(context, record, delta, meta.saves, write),
    )
  if (record.storedIds.length === 1) return send()
  return send().then(async (reply) => {
    if (reply.kind !== 'gone') return reply
    const found = await writeWherever(context, record.storedIds, meta.created, async (storedId) => {
      record.storedId = storedId
      const answer = await send()
      return answer.kind === 'gone' ? null : answer
    })
    return found ?? reply
  })
}

/** Runs the UPDATE script. @param isStrict nothing is written if others have saved since */
async function update(
  context: Context,
  record: SessionRecord,
  meta: Pick<Bookkeeping, 'created' | 'saves'>,
  lease: WrittenLease,
  delta: Delta,
  isStrict: boolean,
): Promise<WriteReply> {
  const { gateway, keys, options } = context
  const isSave = !isEmpty(delta)
  const kind = isStrict ? 2 : isSave ? 1 : 0
  const args = [meta.created, isSave ? meta.saves : '', kind, lease.idle, options.absoluteMs ?? '']
  const isDoubted = isSave && isUndercounted(record)
  const rest = [expiryMode(context), lease.flags, options.maxBytes, isDoubted ? 1 : '']
  const changes = changeArgs(context, record, delta)
  const key = keys.session(record.storedId)
  return acceptWrite(context, await gateway.script(UPDATE, key, [...args, ...rest, ...changes]))
}

/**
 * Computes the placing from the loaded index fields and the changes of this write, not from the session: values that
 * the session holds may not be written yet.
 */
function placingIn(context: Context, record: SessionRecord, next: Lease, lease: WrittenLease, delta: Delta): Placing {
  const of = { idleMs: next.idle, slides: lease.slides, createdAtMs: createdAtMs(record) }
  if (context.options.indexes.length === 0) return { ...NOWHERE, ...of }
  return { ...placingOf(delta.set, record.indexFields, next.idle), ...of }
}

/** Idle timeout and cookie flags as arguments of the UPDATE script. */
interface WrittenLease {
  idle: number | string
  flags: string
  /** Whether the write refreshes the expiry. */
  slides: boolean
  /** Both stay as they are in Redis: this request has not changed them, but another one may have. */
  isOthers: boolean
}

function leaseOf(context: Context, record: SessionRecord, next: Lease, delta: Delta): WrittenLease {
  const meta = sameLease(record, next, delta)
  if (meta === null) return { idle: next.idle, flags: next.cookie.flags, slides: true, isOthers: false }
  const slides = context.options.disableTouch || isTouchDue(context, record, meta, next)
  const asItIs = slides ? '=' : ''
  return { idle: asItIs, flags: asItIs, slides, isOthers: true }
}

/**
 * Keeps the loaded idle timeout and cookie flags for later comparisons of this request. Another request may have
 * written others meanwhile. Compared with those, the unchanged cookie of this request would look like a change, and
 * the next save would undo a "remember me".
 */
function withLeaseOf(written: Bookkeeping, { origin }: SessionRecord): Bookkeeping {
  return origin.kind === 'hash' ? { ...written, flags: origin.meta.flags, idleMs: origin.meta.idleMs } : written
}

function createdAtMs({ origin }: SessionRecord): number | undefined {
  return origin.kind === 'hash' ? origin.meta.createdAtMs : undefined
}

/** Returns the loaded bookkeeping if idle timeout and cookie have not changed since the load; otherwise null. */
function sameLease({ origin }: SessionRecord, next: Lease, delta: Delta): Bookkeeping | null {
  if (origin.kind !== 'hash' || origin.meta.flags !== next.cookie.flags) return null
  if (delta.set.some(([field]) => isCookieField(field)) || delta.remove.some(isCookieField)) return null
  return isSameLifetime(next.idle, origin.meta.idleMs) ? origin.meta : null
}

/** Makes the arguments of the UPDATE script for counts, pairs, replacements and removals. */
function changeArgs(context: Context, record: SessionRecord, delta: Delta): (string | number)[] {
  const codec = context.codec.of(record.storedId)
  const anew = encryptedAnew(record, codec, delta)
  const list: (string | number)[] = [delta.set.length, anew.length]
  for (const [field, text] of delta.set) list.push(field, codec.encode(field, text))
  for (const replacement of anew) list.push(...replacement)
  for (const field of delta.remove) list.push(field)
  return list
}

/**
 * Encrypts outdated fields that this write does not change anyway.
 *
 * @returns `[field, text that Redis held, the same value under the current encryption key]`
 */
function encryptedAnew(record: SessionRecord, codec: SessionCodec, delta: Delta): [string, string, string][] {
  if (record.outdated.size === 0) return []
  const changed = new Set([...delta.set.map(([field]) => field), ...delta.remove])
  return [...record.outdated]
    .filter(([field]) => !changed.has(field) && record.fields.has(field))
    .map(([field, stored]) => [field, stored, codec.encode(field, record.fields.get(field) as string)])
}

/**
 * Decodes the old values for a comparison as texts. An unreadable value stays encoded and so differs from every text.
 */
function decodeOld(codec: SessionCodec, delta: Delta, old: readonly (string | null)[]): (string | null)[] {
  return fieldsOf(delta).map((field, i) => {
    const stored = old[i] ?? null
    if (stored === null) return null
    try {
      return codec.decode(field, stored).text
    } catch {
      return stored
    }
  })
}
