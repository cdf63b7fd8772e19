import { isCookieField } from '../hash/cookie.js'
import type { AnySession } from '../hash/session-data.js'
import { SLIDE_STRING } from '../redis/scripts/slide-string.js'
import type { Context } from './context.js'
import type { Delta } from './delta.js'
import { destroySession } from './destroy.js'
import { loadFirst } from './load.js'
import { moveHome } from './move.js'
import { saveString, writeDelta } from './save.js'
import type { SessionRecord } from './session-record.js'
import { type Lease, lease } from './snapshot.js'
import { isTouchDue } from './touch-due.js'
import { changedOf, isLimitReached } from './write-indexed.js'
import { warnNoExpiry } from './write-reply.js'

/**
 * Slides the expiry of a loaded session, if its last refresh is old enough, and writes its cookie if that changed.
 * Otherwise costs no command.
 */
export async function touchSession(context: Context, record: SessionRecord, next: Lease): Promise<void> {
  await moveHome(context, record)
  try {
    await touchAtHome(context, record, next)
  } catch (err) {
    // A session from before there was the index is one too many. Nobody has logged in, and reading does not fail: it stays as it
    // is, and is not prolonged.
    if (!isLimitReached(err) || isCookieChanged(record, next)) throw err
    warnOverLimit(context)
  }
}

async function touchAtHome(context: Context, record: SessionRecord, next: Lease): Promise<void> {
  const { origin } = record
  if (origin.kind === 'string') return touchString(context, record, origin.sha1, next)
  const delta = cookieDelta(record, next)
  // A session from before there was this index, or that has lost its entry, is found again from here on.
  delta.set.push(...[...next.indexed].filter(([field, text]) => record.fields.get(field) !== text))
  if (delta.set.length === 0 && delta.remove.length === 0 && !isTouchDue(context, record, origin.meta, next)) return
  await writeDelta(context, record, origin.meta, next, delta)
}

/** Whether there is nothing to do, and nothing that has to be found out first. */
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

/** The same for a session object that did not come from this store: two commands, as it has to be looked at first. */
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
 * connect-redis's string has no room for bookkeeping; like connect-redis, we prolong the key at every request. Where
 * bookkeeping is needed, for an absolute deadline or a changed cookie, it becomes a hash.
 */
async function touchString(context: Context, record: SessionRecord, sha1: string, next: Lease): Promise<void> {
  const { gateway, keys, options } = context
  if (options.absoluteMs !== undefined || !next.isAsInString || next.indexed.size > 0) {
    const { fields: cookie } = next.cookie
    const changed = [...cookie, ...changedOf(next.indexed, record.indexFields)]
    const fields = new Map([...record.fields, ...cookie, ...next.indexed])
    return saveString(context, record, sha1, { ...next, fields }, { set: changed, remove: [] })
  }
  if (options.disableTouch || options.disableTTL) return
  const reply = await gateway.script(SLIDE_STRING, keys.session(record.storedId), [next.idle])
  if (reply === 'unexpiring') warnNoExpiry(context)
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
