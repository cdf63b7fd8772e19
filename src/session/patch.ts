import { fieldOf, isProperty } from '../hash/field-name.js'
import { indexFields } from '../hash/index-fields.js'
import { toText } from '../hash/serializer.js'
import type { StoredIds } from '../ids/id-mapper.js'
import type { Context } from './context.js'
import { loadSession } from './load.js'
import { writeWherever } from './move.js'
import type { PropertyChanges } from './patch-string.js'
import type { Loaded } from './session-record.js'
import { lease } from './snapshot.js'
import { UNKNOWN, updateFields } from './update-fields.js'
import { changedOf, NOWHERE, placingOf, writeIndexed } from './write-indexed.js'
import type { WriteReply } from './write-reply.js'
import { writeUnloaded } from './write-unloaded.js'

/** @throws TypeError for names that cannot be a property, ERR_SESSION_NOT_SERIALIZABLE */
export function encodeChanges(context: Context, changes: Readonly<Record<string, unknown>>): PropertyChanges {
  const encoded: PropertyChanges = { values: changes, set: [], remove: [] }
  for (const [property, value] of Object.entries(changes)) {
    assertPatchable(property)
    const text = toText(context.options.serializer, property, value)
    if (text === undefined) encoded.remove.push(fieldOf(property))
    else encoded.set.push([fieldOf(property), text])
  }
  return encoded
}

export function assertPatchable(property: string): void {
  if (!isProperty(property)) {
    throw new TypeError(
      `session property "${property}" cannot be changed here: only set() and touch() write the cookie`,
    )
  }
}

/**
 * Changes some properties of an existing session; false if there is none. Loads the session only if there are indexes.
 *
 * @throws ERR_SESSION_LIMIT if these changes would make one session more than `limit` allows, ERR_SESSION_TOO_LARGE
 */
export async function patchSession(context: Context, storedIds: StoredIds, changes: PropertyChanges): Promise<boolean> {
  const { announcer } = context
  const isPatched = await firstWritten(context, storedIds, async (id) => {
    const { kind } = await writeUnloaded(context, id, {
      onHash: () => patchHash(context, id, changes),
      onString: () => changes,
    })
    if (kind !== 'written' && kind !== 'contended') return kind === 'rewritten' || null
    announcer.announceOf(id, 'saved', { fields: changes.set.length + changes.remove.length })
    return true
  })
  if (isPatched) return true
  announcer.announceOf(storedIds[0], 'refused', { operation: 'patch' })
  return false
}

/** Changes a hash. With indexes, loads the session first: its index values may depend on all of its properties. */
async function patchHash(context: Context, storedId: string, changes: PropertyChanges): Promise<WriteReply> {
  const { indexes } = context.options
  if (indexes.length === 0) return updateFields(context, storedId, changes)
  const loaded = await loadSession(context, storedId)
  if (loaded === null) {
    // If a session is created meanwhile, the reply says so, and `writeIndexed` indexes it afterwards.
    const seen = { created: '', saves: UNKNOWN }
    return writeIndexed(context, storedId, NOWHERE, () => updateFields(context, storedId, changes, seen))
  }
  return patchLoaded(context, storedId, changes, loaded, false)
}

/**
 * Changes a hash that has been loaded, and its index values.
 *
 * @param isStrict whether to write nothing if others have saved since the load; the reply is then `outdated`
 */
export async function patchLoaded(
  context: Context,
  storedId: string,
  changes: PropertyChanges,
  { session, record }: Loaded,
  isStrict: boolean,
): Promise<WriteReply> {
  if (record.origin.kind === 'string') return { kind: 'foreign' }
  const { created, saves } = record.origin.meta
  const held = record.indexFields
  const index = changedOf(indexFields(context.options.indexes, { ...session, ...changes.values }, held), held)
  const placing = placingOf(index, held, lease(context, session, record).idle)
  const whole = { ...changes, set: [...changes.set, ...index] }
  return writeIndexed(context, storedId, placing, () =>
    updateFields(context, storedId, whole, { created, saves, isStrict }),
  )
}

/** Writes to a session under its current id. If it is not there while `hashIds` changes, moves it there first. */
export async function firstWritten<T>(
  context: Context,
  storedIds: StoredIds,
  write: (storedId: string) => Promise<T | null>,
): Promise<T | null> {
  const [home, ...others] = storedIds
  const written = await write(home)
  if (written !== null || others.length === 0) return written
  return writeWherever(context, storedIds, '', write)
}
