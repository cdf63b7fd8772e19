import { SessionStoreError } from '../errors.js'
import type { FieldList } from '../hash/fields.js'
import { entriesIn } from '../hash/index-fields.js'
import { CONVERT } from '../redis/scripts/convert.js'
import type { Context } from './context.js'
import { applyDelta, type Delta, doubtDelta, isEmpty, withoutCookie } from './delta.js'
import { fromString, sha1Of } from './load.js'
import type { Loaded, SessionRecord } from './session-record.js'
import { bytesOf } from './size.js'
import { expiryMode, lease, type Snapshot } from './snapshot.js'
import { type Placing, reindex, writeIndexed } from './write-indexed.js'
import { acceptWrite, foreignKey } from './write-reply.js'

/**
 * How a session keeps its time if nobody uses it now. Its string has a TTL, and perhaps nothing else tells the idle
 * timeout.
 */
export interface KeptTime {
  /** Whether the snapshot has the idle timeout of the application. */
  isIdleKnown: boolean
  /** Whether a string without TTL becomes a hash without TTL. */
  mayBeEndless: boolean
  /** Milliseconds that the string had left, for the index; default: the idle timeout. */
  leftMs?: number | undefined
}

/** How often connect-redis may overwrite the string during the conversion, before the conversion gives up. */
const ATTEMPTS = 10

/**
 * Saves a session that was loaded from connect-redis's string, as a hash. If connect-redis wrote meanwhile (both stores
 * run during a rolling deployment), merges its changes first.
 *
 * @param kept set if the session is not used now; then its time to live stays
 * @returns false if the session no longer exists
 */
export async function convertString(
  context: Context,
  record: SessionRecord,
  sha1: string,
  loadedNext: Snapshot,
  wholeDelta: Delta,
  kept?: KeptTime,
): Promise<boolean> {
  let next = loadedNext
  // Another request may have changed the cookie, so do not write an unchanged one.
  const delta = next.isAsInString ? withoutCookie(wholeDelta) : wholeDelta
  let content: StringContent = { sha1, fields: next.fields, before: record.fields }
  doubtDelta(record, delta)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const reply = await writeHash(context, record.storedId, content, next, delta, kept)
    if (reply?.kind === 'string') {
      const current = await fromString(context, record.storedId, reply.text)
      if (current === null) throw foreignKey()
      const before = current.record.fields
      // This request has not changed the cookie, so connect-redis's is the current one.
      if (next.isAsInString) next = { ...next, ...leaseOf(context, current) }
      content = { sha1: sha1Of(reply.text), fields: merge([...before, ...next.cookie.fields], delta), before }
      continue
    }
    if (reply?.kind !== 'written' && reply?.kind !== 'contended') return false
    // Others have saved since the load, so the record does not know all that Redis holds.
    if (reply.kind === 'contended' || attempt > 0) context.merger?.followed(record, '', reply.meta.saves)
    if (reply.isEnded) record.hasEnded = true
    // An index may read our changes together with those that connect-redis wrote.
    else if (attempt > 0) await reindex(context, record.storedId)
    record.origin = { kind: 'hash', meta: reply.meta }
    record.isWhole = false
    applyDelta(record, delta)
    if (!isEmpty(delta)) {
      const fields = delta.set.length + delta.remove.length
      context.announcer.announceOf(record.storedId, 'saved', { fields })
    }
    return true
  }
  throw new SessionStoreError(
    'ERR_SESSION_CONFLICT',
    'another store keeps rewriting this session as a string: let one kind of store write a session',
  )
}

export function leaseOf(context: Context, { session, record }: Loaded): Pick<Snapshot, 'cookie' | 'idle'> {
  const { cookie, idle } = lease(context, session, record)
  return { cookie, idle }
}

/** A string of connect-redis that is to be replaced. */
interface StringContent {
  sha1: string
  /** All that the session is to hold. */
  fields: FieldList
  /** What the string holds. */
  before: Iterable<readonly [string, string]>
}

/** @returns null if there is no session, and its indexes are limited: nobody may lose their place to it */
async function writeHash(
  context: Context,
  storedId: string,
  { sha1, fields, before }: StringContent,
  next: Snapshot,
  delta: Delta,
  kept: KeptTime | undefined,
) {
  const { gateway, options } = context
  const key = context.keys.session(storedId)
  const codec = context.codec.of(storedId)
  const encoded = (all: Iterable<readonly [string, string]>) =>
    [...all].map(([field, text]) => [field, codec.encode(field, text)] as [string, string])
  const changed = new Set(delta.set.map(([field]) => field))
  const unchanged = [...fields].filter(([field]) => !changed.has(field))
  const asInString = next.isAsInString ? 1 : 0
  const mode = kept === undefined || options.disableTTL ? expiryMode(context) : keepingMode(context, kept)
  const idle = kept?.isIdleKnown === false ? '' : next.idle
  const lease = [idle, options.absoluteMs ?? '', mode, next.cookie.flags, asInString]
  const pairs = encoded([...delta.set, ...unchanged])
  const size = [options.maxBytes, isEmpty(delta) ? bytesOf(pairs) : bytesOf(encoded(before))]
  const args = [sha1, ...lease, ...size, pairs.length, delta.set.length, ...pairs.flat(), ...delta.remove]
  const places = entriesIn([...unchanged, ...delta.set])
  const isLimited = (context.limiter?.among(places) ?? []).length > 0
  if (isLimited && !(await gateway.exists(key))) return null
  const placing: Placing = {
    held: [],
    next: places,
    idleMs: kept?.leftMs ?? next.idle,
    slides: true,
    createdAtMs: undefined,
  }
  return writeIndexed(context, storedId, placing, async () =>
    acceptWrite(context, await gateway.script(CONVERT, key, args)),
  )
}

function keepingMode(context: Context, { mayBeEndless }: KeptTime): string {
  const mode = expiryMode(context)
  return `keep${mayBeEndless ? '-endless' : ''}${typeof mode === 'number' ? ` ${mode}` : ''}`
}

export function merge(base: Iterable<readonly [string, string]>, delta: Delta): FieldList {
  const merged = new Map(base)
  for (const [field, text] of delta.set) merged.set(field, text)
  for (const field of delta.remove) merged.delete(field)
  return [...merged]
}
