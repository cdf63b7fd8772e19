import { UPDATE } from '../redis/scripts/update.js'
import type { Context } from './context.js'
import { convertString } from './convert.js'
import { encodeCookie, isCookieField } from './cookie.js'
import { assertSize } from './encode.js'
import { fieldOf, isProperty } from './field-name.js'
import type { Fields } from './fields.js'
import { entriesIn, type IndexEntry, indexFields, without } from './index-values.js'
import { loadSession } from './load.js'
import { writeWherever } from './move.js'
import { toText } from './serializer.js'
import { type AnySession, plainCookie } from './session-data.js'
import { enter, leave } from './session-index.js'
import { lease, type Snapshot, snapshot } from './snapshot.js'
import { foreignKey, readWriteReply, type WriteReply } from './write-reply.js'

interface Changes {
  values: Readonly<Record<string, unknown>>
  set: [field: string, text: string][]
  remove: string[]
}

/** @throws TypeError for names that can be no property, ERR_SESSION_NOT_SERIALIZABLE, ERR_SESSION_TOO_LARGE */
export function encodeChanges(context: Context, changes: Readonly<Record<string, unknown>>): Changes {
  const encoded: Changes = { values: changes, set: [], remove: [] }
  for (const [property, value] of Object.entries(changes)) {
    assertPatchable(property)
    const text = toText(context.options.serializer, property, value)
    if (text === undefined) encoded.remove.push(fieldOf(property))
    else encoded.set.push([fieldOf(property), text])
  }
  assertSize(encoded.set, context.options.maxBytes)
  return encoded
}

export function assertPatchable(property: string): void {
  if (!isProperty(property)) {
    throw new TypeError(
      `session property "${property}" cannot be changed here: only set() and touch() write the cookie`,
    )
  }
}

/** Changes some properties of a session that exists, without loading it. False if there is none. */
export async function patchSession(context: Context, storedIds: readonly string[], changes: Changes): Promise<boolean> {
  const { announcer } = context
  const storedId = await firstWritten(context, storedIds, async (id) => {
    const index = context.options.indexes.length === 0 ? NO_CHANGE : await indexChange(context, id, changes)
    const entering = enter(context, id, index.added, index.idleMs)
    if (entering !== undefined) await entering
    const whole = { ...changes, set: [...changes.set, ...index.fields] }
    const reply = await onHash(context, id, () => update(context, id, whole))
    if (reply.kind !== 'written') return null
    await enter(context, id, index.added, index.idleMs)
    await leave(context, id, index.left)
    return id
  })
  if (storedId !== null) {
    const fields = changes.set.length + changes.remove.length
    announcer.announceOf(storedId, 'saved', { fields })
    return true
  }
  announcer.announceOf(storedIds[0] as string, 'refused', { operation: 'patch' })
  return false
}

interface IndexChange {
  fields: Fields
  added: IndexEntry[]
  left: IndexEntry[]
  idleMs: number
}

const NO_CHANGE: IndexChange = { fields: new Map(), added: [], left: [], idleMs: 0 }

/** Where the session is to be found once these changes are made, which only the whole session tells. */
async function indexChange(context: Context, storedId: string, { values }: Changes): Promise<IndexChange> {
  const { indexes } = context.options
  const loaded = await loadSession(context, storedId)
  if (loaded === null) return NO_CHANGE
  const held = entriesIn(loaded.record.fields)
  const fields = indexFields(indexes, { ...loaded.session, ...values }, loaded.record.fields)
  const entries = entriesIn(fields)
  const idleMs = lease(context, loaded.session, loaded.record).idle
  return { fields, added: without(entries, held), left: without(held, entries), idleMs }
}

/** Writes under the first id that holds the session; while `hashIds` changes, brings it under the current one first. */
export async function firstWritten<T>(
  context: Context,
  storedIds: readonly string[],
  write: (storedId: string) => Promise<T | null>,
): Promise<T | null> {
  const [home, ...others] = storedIds as [string, ...string[]]
  const written = await write(home)
  if (written !== null || others.length === 0) return written
  return writeWherever(context, storedIds, '', write)
}

async function update(context: Context, storedId: string, changes: Changes): Promise<WriteReply> {
  const codec = context.codec.of(storedId)
  const args = [
    '',
    '',
    1,
    '',
    context.options.absoluteMs ?? '',
    '',
    '',
    changes.set.length,
    0,
    ...changes.set.flatMap(([field, text]) => [field, codec.encode(field, text)]),
    ...changes.remove,
  ]
  return readWriteReply(context, await context.gateway.script(UPDATE, context.keys.session(storedId), args))
}

/**
 * Runs a script that wants a hash; where it finds connect-redis's string instead, converts that first.
 *
 * @throws ERR_SESSION_FOREIGN_KEY if the key holds neither
 */
export async function onHash<T extends { kind: string }>(
  context: Context,
  storedId: string,
  work: () => Promise<T | { kind: 'foreign' }>,
): Promise<T> {
  const first = await work()
  if (first.kind !== 'foreign') return first as T
  const loaded = await loadSession(context, storedId)
  // Gone meanwhile, or a session again: then the second attempt is no foreign key any more.
  if (loaded?.record.origin.kind !== 'string') return notForeign(await work())
  const { session, record } = loaded
  const unchanged = { set: [], remove: [] }
  const left = await context.gateway.pttl(context.keys.session(storedId))
  const next = snapshot(context, session, record)
  // Converting would prolong the session, which this operation is not to do.
  const unprolonged = left > 0 ? withIdle(next, session, left) : next
  await convertString(context, record, loaded.record.origin.sha1, unprolonged, unchanged)
  return notForeign(await work())
}

/** The next request finds that its idle timeout is another one, and sets it right. */
function withIdle(next: Snapshot, session: AnySession, idle: number): Snapshot {
  const cookie = encodeCookie(plainCookie(session), idle, false)
  const others = [...next.fields].filter(([field]) => !isCookieField(field))
  return { ...next, idle, cookie, fields: new Map([...others, ...cookie.fields]) }
}

function notForeign<T extends { kind: string }>(result: T | { kind: 'foreign' }): T {
  if (result.kind === 'foreign') throw foreignKey()
  return result as T
}
