import { UPDATE } from '../redis/scripts/update.js'
import { handleOf } from '../redis/sid.js'
import type { Bookkeeping } from './bookkeeping.js'
import type { Context } from './context.js'
import { convertString } from './convert.js'
import { applyDelta, type Delta, difference, doubtDelta, isEmpty } from './delta.js'
import { propertyOf } from './field-name.js'
import { touchIntervalMs } from './idle.js'
import type { SessionRecord } from './session-record.js'
import { expiryMode, type Lease, type Snapshot } from './snapshot.js'
import { readWriteReply } from './write-reply.js'

/** Writes what changed since the session was loaded, unless it has ended meanwhile. */
export async function saveSession(context: Context, record: SessionRecord, next: Snapshot): Promise<void> {
  const delta = await difference(record, next.fields, context.options.serializer)
  const { origin } = record
  if (origin.kind === 'string') return convertString(context, record, origin.sha1, next, delta)
  if (isEmpty(delta) && !isTouchDue(context, origin.meta, next)) return
  await writeDelta(context, record, origin.meta, next, delta)
}

/** express-session reads the clock twice for one maxAge, and may come out a millisecond short. */
const CLOCK_DRIFT_MS = 5

/** Whether the expiry in Redis, or the cookie, has to be written anew. */
export function isTouchDue({ options }: Context, meta: Bookkeeping, next: Lease): boolean {
  if (next.cookie.flags !== meta.flags || meta.unexpiring) return true
  if (options.disableTouch) return false
  const age = Date.now() - meta.seenAtMs
  // Below 0, the clock of this machine is behind Redis's: the age is unknown, and refreshing is the safe answer.
  return Math.abs(next.idle - meta.idleMs) > CLOCK_DRIFT_MS || age < 0 || age >= touchIntervalMs(next.idle, options)
}

/** Changes the session, if it still exists, and refreshes its expiry. */
export async function writeDelta(
  context: Context,
  record: SessionRecord,
  meta: Bookkeeping,
  next: Lease,
  delta: Delta,
): Promise<void> {
  const { gateway, keys, options, announcer } = context
  const handle = handleOf(record.storedId)
  const isSave = !isEmpty(delta)
  const args = [meta.created, isSave ? meta.saves : '', isSave ? 1 : 0, next.idle, options.absoluteMs ?? '']
  const pairs = delta.set.flat()
  const rest = [expiryMode(context), next.cookie.flags, delta.set.length, ...pairs, ...delta.remove]
  const doubted = new Set(record.uncertain)
  doubtDelta(record, delta)
  const reply = readWriteReply(context, await gateway.script(UPDATE, keys.session(record.storedId), [...args, ...rest]))
  if (reply.kind !== 'written' && reply.kind !== 'contended') {
    record.hasEnded = true
    announcer.announce('refused', { handle, operation: isSave ? 'save' : 'touch' })
    return
  }
  if (reply.kind === 'contended') announceConflict(context, record, doubted, delta, reply.old)
  record.origin = { kind: 'hash', meta: reply.meta }
  applyDelta(record, delta)
  if (isSave) announcer.announce('saved', { handle, fields: delta.set.length + delta.remove.length })
}

/** Others saved in between; whether they changed the same properties shows in what those held. */
function announceConflict(
  context: Context,
  record: SessionRecord,
  doubted: ReadonlySet<string>,
  delta: Delta,
  old: (string | null)[],
): void {
  const touched: [field: string, text: string | null][] = [
    ...delta.set,
    ...delta.remove.map((f) => [f, null] as [string, null]),
  ]
  const properties = touched
    .filter(([field, text], i) => {
      const found = old[i] ?? null
      const loaded = record.fields.get(field) ?? null
      return found !== loaded && found !== text && !doubted.has(field)
    })
    .map(([field]) => propertyOf(field) ?? 'cookie')
  if (properties.length === 0) return
  context.announcer.announce('conflict', { handle: handleOf(record.storedId), properties: [...new Set(properties)] })
}
