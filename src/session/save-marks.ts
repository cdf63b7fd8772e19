import type { Fields } from '../hash/fields.js'
import type { Context } from './context.js'
import type { Delta } from './delta.js'
import { moveHome } from './move.js'
import { saveString, writeDelta } from './save.js'
import type { SessionRecord } from './session-record.js'
import type { Lease } from './snapshot.js'

/** Writes only bookkeeping fields of a loaded session, unless the session has ended meanwhile. */
export async function saveMarks(context: Context, record: SessionRecord, next: Lease, marks: Fields): Promise<void> {
  const set = [...marks].filter(([field, text]) => record.fields.get(field) !== text || record.uncertain.has(field))
  if (set.length === 0) return
  // Marks are no change of the session. They come with its next save, if that makes a hash of it.
  if (record.origin.kind === 'string' && context.options.convert !== 'on-touch') return
  await moveHome(context, record)
  const delta: Delta = { set, remove: [] }
  const { origin } = record
  if (origin.kind === 'hash') return writeDelta(context, record, origin.meta, next, delta)
  const fields = [...new Map([...record.fields, ...next.cookie.fields, ...next.indexed, ...set])]
  return saveString(context, record, origin.sha1, { ...next, fields }, delta)
}
