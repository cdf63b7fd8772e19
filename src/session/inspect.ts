import {
  BOOKKEEPING_FIELD,
  type Bookkeeping,
  CLIENT_FIELD,
  DEVICE_KEY_FIELD,
  expiresAtMs,
  parseBookkeeping,
  RENEWAL_FIELD,
} from '../hash/bookkeeping.js'
import { fieldOf, isProperty } from '../hash/field-name.js'
import { decodeIndexValue, entriesIn, furtherFields, type IndexEntry, indexField } from '../hash/index-fields.js'
import { isAdmitted, parseGeneration } from '../hash/renewal-field.js'
import { handleOf } from '../ids/handle.js'
import type { Sid } from '../ids/sid.js'
import type { SessionInfo } from '../session-info.js'
import { admissionOf } from './admission.js'
import type { Context } from './context.js'
import { firstOf } from './first-found.js'
import { hasArrived } from './leftovers.js'
import { decodeOrAnnounce, isAbsent, isArriving, loadSession } from './load.js'
import { readFields } from './read-hash.js'
import type { SessionRecord } from './session-record.js'

/** What bookkeeping fields say about a session; null or undefined for a field that is not there. */
interface InfoFields {
  client: string | null | undefined
  deviceKey: string | null | undefined
}

/** Picks them from the fields of a session. */
export function infoFieldsIn(fields: ReadonlyMap<string, string>): InfoFields {
  return { client: fields.get(CLIENT_FIELD), deviceKey: fields.get(DEVICE_KEY_FIELD) }
}

export function infoOf(
  context: Context,
  storedId: string,
  meta: Bookkeeping,
  entries: readonly IndexEntry[],
  { client, deviceKey }: InfoFields,
): SessionInfo {
  const { disableTTL, absoluteMs } = context.options
  return {
    handle: handleOf(storedId),
    createdAt: new Date(meta.createdAtMs),
    seenAt: new Date(meta.seenAtMs),
    expiresAt: disableTTL ? null : new Date(expiresAtMs(meta, absoluteMs)),
    indexes: valuesByIndex(context, entries),
    ...(client && { client }),
    deviceBound: Boolean(deviceKey),
  }
}

export function valuesByIndex({ options }: Context, entries: readonly IndexEntry[]): SessionInfo['indexes'] {
  const valuesOf = (name: string) => entries.filter((entry) => entry.name === name).map((entry) => entry.value)
  return Object.fromEntries(options.indexes.map(([name]) => [name, valuesOf(name).map(decodeIndexValue)]))
}

/**
 * Makes the info of a loaded session. A hash needs no command. A string that connect-redis wrote is read again; null if
 * that session has ended since.
 */
export async function infoOfRecord(context: Context, record: SessionRecord): Promise<SessionInfo | null> {
  const { storedId, origin, fields } = record
  if (origin.kind === 'hash') {
    return infoOf(context, storedId, origin.meta, entriesIn(fields), infoFieldsIn(fields))
  }
  return (await inspectSession(context, storedId))?.info ?? null
}

const INFO_FIELDS = [BOOKKEEPING_FIELD, RENEWAL_FIELD, CLIENT_FIELD, DEVICE_KEY_FIELD]

/** The info of a session, and its index entries. */
export interface Inspected {
  info: SessionInfo
  entries: IndexEntry[]
  /** Whether connect-redis wrote it, or a store with `convert: 'never'`. */
  isString: boolean
}

/**
 * Reads the info of a session with one HMGET, and a second one if the session has several values in one index. For a
 * string that connect-redis wrote, PTTL gives all that is known.
 *
 * @param sid the id that the caller presents; undefined: access is not checked
 */
export async function inspectSession(
  context: Context,
  storedId: string,
  sid?: Sid,
  isAgain = false,
): Promise<Inspected | null> {
  const { options } = context
  const names = options.indexes.map(([name]) => indexField(name))
  const reply = await readFields(context, storedId, [...INFO_FIELDS, ...names])
  if (reply === null) return sid && sid.generation > 0 ? null : inspectString(context, storedId)
  const [metaText, generationText, client, deviceKey, ...texts] = reply
  const meta = parseBookkeeping(metaText)
  if (meta?.isArriving && !isAgain && (await hasArrived(context, storedId))) {
    return inspectSession(context, storedId, sid, true)
  }
  if (meta === null || isAbsent(context, meta)) return null
  if (sid !== undefined && !(await gives(context, storedId, sid, generationText))) return null
  const fields = names.map((field, i) => [field, texts[i] ?? ''] as const)
  const more = furtherFields(fields)
  const rest = more.length === 0 ? [] : ((await readFields(context, storedId, more)) ?? [])
  const entries = entriesIn([...fields, ...more.map((field, i) => [field, rest[i] ?? ''] as const)])
  return { info: infoOf(context, storedId, meta, entries, { client, deviceKey }), entries, isString: false }
}

/** Whether this id gives access to a session with this `@renew` field. */
async function gives(context: Context, storedId: string, sid: Sid, text: string | null | undefined): Promise<boolean> {
  const latest = text == null ? undefined : parseGeneration(text)
  return latest !== null && isAdmitted(await admissionOf(context, storedId, sid, latest))
}

/**
 * Makes the info of a string that connect-redis wrote. Its time of creation is unknown, so the session counts as
 * created now, as it does when it is converted.
 */
async function inspectString(context: Context, storedId: string): Promise<Inspected | null> {
  const loaded = await loadSession(context, storedId)
  if (loaded === null) return null
  const left = await context.gateway.pttl(context.keys.session(storedId))
  if (left === -2) return null
  const now = new Date()
  const expiresAt = left < 0 ? null : new Date(now.getTime() + left)
  // Computed from its content: a string has no index fields.
  const entries = entriesIn(loaded.record.indexFields)
  const indexes = entries.length === 0 ? {} : valuesByIndex(context, entries)
  return {
    info: { handle: handleOf(storedId), createdAt: now, seenAt: now, expiresAt, indexes, deviceBound: false },
    entries,
    isString: true,
  }
}

/** Whether a loaded session still exists: it has not ended, and no other session has its id now. */
export async function isLive(context: Context, { storedIds, origin }: SessionRecord): Promise<boolean> {
  const found = await firstOf(storedIds, async (storedId) => {
    const reply = await readFields(context, storedId, [BOOKKEEPING_FIELD])
    if (reply === null) return origin.kind === 'string' ? true : null
    const meta = parseBookkeeping(reply[0])
    if (meta === null) return null
    if (!(meta.isArriving && (await hasArrived(context, storedId))) && isAbsent(context, meta)) return null
    return origin.kind === 'string' || meta.created === origin.meta.created ? true : null
  })
  return found !== null
}

/** Reads some properties of a session with one HMGET. Does not prolong the session. */
export async function readProperties(
  context: Context,
  storedId: string,
  sid: Sid,
  properties: readonly string[],
  isAgain = false,
): Promise<Record<string, unknown> | null> {
  const fields = properties.filter(isProperty).map(fieldOf)
  const reply = await readFields(context, storedId, [BOOKKEEPING_FIELD, RENEWAL_FIELD, ...fields])
  if (reply === null) {
    const loaded = sid.generation > 0 ? null : await loadSession(context, storedId)
    return loaded && Object.fromEntries(Object.entries(loaded.session).filter(([name]) => properties.includes(name)))
  }
  const [metaText, generationText, ...texts] = reply
  if (metaText == null || !(await gives(context, storedId, sid, generationText))) return null
  const present = fields.flatMap((field, i) => (texts[i] == null ? [] : [field, texts[i]]))
  present.push(BOOKKEEPING_FIELD, metaText)
  const decoded = await decodeOrAnnounce(context, storedId, present)
  if (decoded === null) {
    return !isAgain && isArriving(present) && (await hasArrived(context, storedId))
      ? readProperties(context, storedId, sid, properties, true)
      : null
  }
  delete decoded.session.cookie
  return decoded.session
}
