import { SessionStoreError } from '../errors.js'
import { isCookieField } from '../hash/cookie.js'
import type { Fields } from '../hash/fields.js'
import { entriesIn } from '../hash/index-fields.js'
import { CONVERT } from '../redis/scripts/convert.js'
import type { Context } from './context.js'
import { applyDelta, type Delta, doubtDelta, isEmpty } from './delta.js'
import { fromString, sha1Of } from './load.js'
import type { SessionRecord } from './session-record.js'
import { bytesOf } from './size.js'
import { expiryMode, type Snapshot } from './snapshot.js'
import { type Placing, reindex, writeIndexed } from './write-indexed.js'
import { acceptWrite, foreignKey } from './write-reply.js'

/** How often connect-redis may overwrite the string during the conversion, before the conversion gives up. */
const ATTEMPTS = 10

/**
 * Saves a session that was loaded from connect-redis's string, as a hash. If connect-redis wrote meanwhile (both stores
 * run during a rolling deployment), merges its changes first.
 *
 * @returns false if the session no longer exists
 */
export async function convertString(
  context: Context,
  record: SessionRecord,
  sha1: string,
  next: Snapshot,
  wholeDelta: Delta,
): Promise<boolean> {
  // Another request may have changed the cookie, so do not write an unchanged one.
  const delta = next.isAsInString ? withoutCookie(wholeDelta) : wholeDelta
  const { gateway, keys, options, announcer } = context
  const key = keys.session(record.storedId)
  const codec = context.codec.of(record.storedId)
  const encoded = (all: Iterable<readonly [string, string]>) =>
    [...all].map(([field, text]) => [field, codec.encode(field, text)] as [string, string])
  let fields = next.fields
  let before: Iterable<readonly [string, string]> = record.fields
  let expected = sha1
  doubtDelta(record, delta)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const changed = new Set(delta.set.map(([field]) => field))
    const unchanged = [...fields].filter(([field]) => !changed.has(field))
    const lease = [
      next.idle,
      options.absoluteMs ?? '',
      expiryMode(context),
      next.cookie.flags,
      next.isAsInString ? 1 : 0,
    ]
    const pairs = encoded([...delta.set, ...unchanged])
    const size = [options.maxBytes, isEmpty(delta) ? bytesOf(pairs) : bytesOf(encoded(before))]
    const args = [expected, ...lease, ...size, pairs.length, delta.set.length, ...pairs.flat(), ...delta.remove]
    const places = entriesIn([...unchanged, ...delta.set])
    // A session that has ended meanwhile must not evict another one.
    const isLimited = (context.limiter?.among(places) ?? []).length > 0
    if (isLimited && !(await gateway.exists(key))) return false
    const placing: Placing = { held: [], next: places, idleMs: next.idle, slides: true, createdAtMs: undefined }
    const reply = await writeIndexed(context, record.storedId, placing, async () =>
      acceptWrite(context, await gateway.script(CONVERT, key, args)),
    )
    if (reply.kind === 'string') {
      const current = await fromString(context, record.storedId, reply.text)
      if (current === null) throw foreignKey()
      before = current.record.fields
      fields = merge([...current.record.fields, ...next.cookie.fields], delta)
      expected = sha1Of(reply.text)
      continue
    }
    if (reply.kind !== 'written' && reply.kind !== 'contended') return false
    if (reply.isEnded) record.hasEnded = true
    // An index may read our changes together with those that connect-redis wrote.
    else if (attempt > 0) await reindex(context, record.storedId)
    record.origin = { kind: 'hash', meta: reply.meta }
    applyDelta(record, delta)
    if (!isEmpty(delta)) {
      announcer.announceOf(record.storedId, 'saved', { fields: delta.set.length + delta.remove.length })
    }
    return true
  }
  throw new SessionStoreError(
    'ERR_SESSION_CONFLICT',
    'another store keeps rewriting this session as a string: let one kind of store write a session',
  )
}

function withoutCookie({ set, remove }: Delta): Delta {
  return {
    set: set.filter(([field]) => !isCookieField(field)),
    remove: remove.filter((field) => !isCookieField(field)),
  }
}

function merge(base: Iterable<readonly [string, string]>, delta: Delta): Fields {
  const merged = new Map(base)
  for (const [field, text] of delta.set) merged.set(field, text)
  for (const field of delta.remove) merged.delete(field)
  return merged
}
