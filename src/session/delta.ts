import { isDeepStrictEqual } from 'node:util'
import { isCookieField } from '../hash/cookie.js'
import { propertyOf } from '../hash/field-name.js'
import type { Fields } from '../hash/fields.js'
import { isThenable, type Serializer } from '../hash/serializer.js'
import type { SessionRecord } from './session-record.js'

/** The changes that a save has to write. */
export interface Delta {
  set: [field: string, text: string][]
  remove: string[]
}

/** Compares what Redis held with what the session holds now. Returns a promise if the serializer is asynchronous. */
export function difference(record: SessionRecord, next: Fields, serializer: Serializer): Delta | Promise<Delta> {
  const { fields, uncertain } = record
  const differing: Delta['set'] = []
  for (const [field, text] of next) {
    if (fields.get(field) !== text || uncertain.has(field)) differing.push([field, text])
  }
  const remove: string[] = []
  for (const field of fields.keys()) if (!next.has(field) && isOurs(field)) remove.push(field)
  for (const field of uncertain) if (!next.has(field) && !fields.has(field) && isOurs(field)) remove.push(field)

  const isSame = differing.map(([field, text]) => {
    const before = uncertain.has(field) ? undefined : fields.get(field)
    return before !== undefined && sameValue(field, before, text, serializer)
  })
  const deltaOf = (same: readonly boolean[]): Delta => {
    const changed = differing.filter((_, i) => !same[i])
    return { set: withWholeCookie(changed, next), remove }
  }
  return isSame.every((one) => typeof one === 'boolean') ? deltaOf(isSame) : Promise.all(isSame).then(deltaOf)
}

/** Adds all cookie fields if one of them has changed. Together they are one value, which must not mix two requests. */
function withWholeCookie(set: Delta['set'], next: Fields): Delta['set'] {
  if (!set.some(([field]) => isCookieField(field))) return set
  return [...set.filter(([field]) => !isCookieField(field)), ...[...next].filter(([field]) => isCookieField(field))]
}

/**
 * Whether there may be a difference. Compares only texts, so an equal value with another text counts as a difference.
 */
export function mayDiffer(record: SessionRecord, next: Fields): boolean {
  for (const [field, text] of next) if (record.fields.get(field) !== text || record.uncertain.has(field)) return true
  for (const field of record.fields.keys()) if (!next.has(field) && isOurs(field)) return true
  return false
}

/**
 * Whether properties have changed, but none of them in a way that shows in JSON: a Map, a Set or an instance that was
 * changed in place. Returns a promise if the serializer is asynchronous.
 */
export function differUnseen(
  record: SessionRecord,
  properties: Fields,
  serializer: Serializer,
): boolean | Promise<boolean> {
  for (const field of record.fields.keys()) if (propertyOf(field) !== undefined && !properties.has(field)) return false
  const changes: (Change | Promise<Change>)[] = []
  for (const [field, text] of properties) {
    const before = record.fields.get(field)
    // The field was sent and not confirmed. Nobody knows what Redis holds, so the field must be written again.
    if (record.uncertain.has(field)) changes.push('unseen')
    else if (before === undefined) return false
    else if (before !== text) changes.push(changeOf(before, text, serializer))
  }
  const isUnseen = (all: readonly Change[]) => all.includes('unseen') && !all.includes('seen')
  return changes.every((one) => typeof one === 'string') ? isUnseen(changes) : Promise.all(changes).then(isUnseen)
}

/** Whether a change shows in JSON. */
type Change = 'none' | 'seen' | 'unseen'

function changeOf(before: string, text: string, serializer: Serializer): Change | Promise<Change> {
  const judge = ([was, is]: readonly unknown[]): Change => {
    if (isSame(was, is, text, serializer)) return 'none'
    return JSON.stringify(was) === JSON.stringify(is) ? 'unseen' : 'seen'
  }
  // express-session does see the change of a value that cannot be read or is no JSON (requests/live-session.ts).
  try {
    const values = [serializer.parse(before), serializer.parse(text)]
    return values.some(isThenable)
      ? Promise.all(values)
          .then(judge)
          .catch(() => 'seen')
      : judge(values)
  } catch {
    return 'seen'
  }
}

/**
 * Whether two texts stand for the same value. Texts of one value differ after an update of the serializer or an edit by
 * hand. Without this check, a save would write back an untouched property over the change of another request.
 */
export function sameValue(
  field: string,
  before: string,
  text: string,
  serializer: Serializer,
): boolean | Promise<boolean> {
  if (propertyOf(field) === undefined) return false
  try {
    const [a, b] = [serializer.parse(before), serializer.parse(text)]
    if (isThenable(a) || isThenable(b)) return isSameLater(a, b, text, serializer)
    return isSame(a, b, text, serializer)
  } catch {
    return false
  }
}

/** Compares also by the serializer, because an instance may keep its content in private fields. */
function isSame(before: unknown, now: unknown, text: string, serializer: Serializer): boolean {
  if (!isDeepStrictEqual(before, now)) return false
  if (serializer === JSON || serializer.stringify(before) === text) return true
  // A serializer that writes the same value differently each time proves no change.
  return serializer.stringify(now) !== text
}

async function isSameLater(a: unknown, b: unknown, text: string, serializer: Serializer): Promise<boolean> {
  try {
    const [before, now] = await Promise.all([a, b])
    return isSame(before, now, text, serializer)
  } catch {
    return false
  }
}

/** Whether a save may remove the field. Bookkeeping of other features and fields that never became a property stay. */
export function isOurs(field: string): boolean {
  return propertyOf(field) !== undefined || isCookieField(field)
}

/** Lists the fields in the order in which the UPDATE script gets them. */
export function fieldsOf({ set, remove }: Delta): string[] {
  return [...set.map(([field]) => field), ...remove]
}

/** Selects some fields of a delta. */
export function partOf({ set, remove }: Delta, isIn: (field: string) => boolean): Delta {
  return { set: set.filter(([field]) => isIn(field)), remove: remove.filter(isIn) }
}

export function isEmpty(delta: Delta): boolean {
  return delta.set.length === 0 && delta.remove.length === 0
}

/** Updates the record after Redis has confirmed the write. */
export function applyDelta(record: SessionRecord, delta: Delta): void {
  for (const [field, text] of delta.set) record.holds(field, text)
  for (const field of delta.remove) record.holds(field, undefined)
}

/**
 * Marks fields as uncertain before they are sent. Until Redis confirms, the write may have happened or happen later.
 */
export function doubtDelta(record: SessionRecord, delta: Delta): void {
  for (const [field] of delta.set) record.uncertain.add(field)
  for (const field of delta.remove) record.uncertain.add(field)
}
