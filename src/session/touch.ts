import { isCookieField } from '../hash/cookie.js'
import { entriesIn } from '../hash/index-fields.js'
import type { AnySession } from '../hash/session-data.js'
import { SLIDE_STRING } from '../redis/scripts/slide-string.js'
import type { Context } from './context.js'
import type { Delta } from './delta.js'
import { destroySession } from './destroy.js'
import { enter } from './index-entries.js'
import { loadFirst } from './load.js'
import { moveHome } from './move.js'
import { saveString, writeDelta } from './save.js'
import type { SessionRecord } from './session-record.js'
import { type Lease, lease } from './snapshot.js'
import { isTouchDue } from './touch-due.js'
import { changedOf, isLimitReached } from './write-indexed.js'
import { warnNoExpiry } from './write-reply.js'

/**
 * Refreshes the expiry of a loaded session if the last refresh is old enough, and writes its cookie if that has
 * changed. Otherwise sends no command.
 */
export async function touchSession(context: Context, record: SessionRecord, next: Lease): Promise<void> {
  await moveHome(context, record)
  try {
    await touchAtHome(context, record, next)
  } catch (err) {
    // The session is older than the index, and there is no room to enter it. This request is no login, and reading
    // must not fail, so the session stays as it is and is not prolonged.
    if (!isLimitReached(err) || isCookieChanged(record, next)) throw err
    warnOverLimit(context)
  }
}

async function touchAtHome(context: Context, record: SessionRecord, next: Lease): Promise<void> {
  const { origin } = record
  if (origin.kind === 'string') return touchString(context, record, origin.sha1, next)
  const delta = cookieDelta(record, next)
  // This also enters a session that is older than the index, or that has lost its index field.
  delta.set.push(...[...next.indexed].filter(([field, text]) => record.fields.get(field) !== text))
  if (delta.set.length === 0 && delta.remove.length === 0 && !isTouchDue(context, record, origin.meta, next)) return
  await writeDelta(context, record, origin.meta, next, delta)
}

/** Whether a touch would have nothing to do, as far as that can be told without a command. */
export function isTouched(context: Context, record: SessionRecord, next: Lease): boolean {
  const { origin } = record
  if (record.storedId !== record.storedIds[0] || origin.kind === 'string' || next.idle <= 0) return false
  if (next.cookie.fields.length > 0 || record.hasCookieFields) return false
  if (next.indexed.size > 0) {
    const held = record.indexFields
    for (const [field, text] of next.indexed) if (held.get(field) !== text) return false
  }
  return !isTouchDue(context, record, origin.meta, next)
}

/**
 * Touches a session object that this store did not load. Costs two commands, because the session must be read first.
 */
export async function touchUnloaded(
  context: Context,
  storedIds: readonly string[],
  session: AnySession,
): Promise<void> {
  const next = lease(context, session, undefined)
  if (next.idle <= 0) return destroySession(context, storedIds, 'expired')
  const loaded = await loadFirst(context, storedIds)
  if (loaded !== null) await touchSession(context, loaded.record, next)
}

/**
 * Prolongs the key of connect-redis's string at every request, as connect-redis does, because the string has no room
 * for bookkeeping. Converts it into a hash if bookkeeping is needed, for an absolute deadline, a changed cookie or an
 * index, and the option `convert` allows it.
 */
async function touchString(context: Context, record: SessionRecord, sha1: string, next: Lease): Promise<void> {
  const { gateway, keys, options } = context
  const isNoted = options.absoluteMs !== undefined || next.indexed.size > 0
  if (!next.isAsInString || (isNoted && options.convert === 'on-touch')) {
    const { fields: cookie } = next.cookie
    const changed = [...cookie, ...changedOf(next.indexed, record.indexFields)]
    const fields = [...new Map([...record.fields, ...cookie, ...next.indexed])]
    return saveString(context, record, sha1, { ...next, fields }, { set: changed, remove: [] })
  }
  if (options.disableTouch || options.disableTTL) return
  const reply = await gateway.script(SLIDE_STRING, keys.session(record.storedId), [next.idle])
  if (reply === 'unexpiring') warnNoExpiry(context)
  if (reply === 'no-string') return
  if (options.convert !== 'on-touch') await enter(context, record.storedId, entriesIn(next.indexed), next.idle)
}

function isCookieChanged(record: SessionRecord, next: Lease): boolean {
  const { origin } = record
  if (origin.kind === 'string') return !next.isAsInString
  const { set, remove } = cookieDelta(record, next)
  return origin.meta.flags !== next.cookie.flags || set.length + remove.length > 0
}

function warnOverLimit({ announcer }: Context): void {
  const message =
    'a session from before "indexes" is one more than "limit" allows: it is neither prolonged nor saved, and ends when its time is over'
  announcer.warnOnce('session-over-limit', message)
}

function cookieDelta(record: SessionRecord, next: Lease): Delta {
  const delta: Delta = { set: [], remove: [] }
  if (next.cookie.fields.length === 0 && !record.hasCookieFields) return delta
  const wanted = new Map(next.cookie.fields)
  const isChanged = next.cookie.fields.some(([field, text]) => record.fields.get(field) !== text)
  if (isChanged) delta.set = [...next.cookie.fields]
  delta.remove = [...record.fields.keys()].filter((field) => isCookieField(field) && !wanted.has(field))
  return delta
}
