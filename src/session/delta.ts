import { isDeepStrictEqual } from 'node:util'
import { isCookieField } from '../hash/cookie.js'
import { propertyOf } from '../hash/field-name.js'
import type { FieldList } from '../hash/fields.js'
import { isPlainString, isThenable, type Serializer } from '../hash/serializer.js'
import type { SessionRecord } from './session-record.js'

/** The changes that a save has to write. A class because it is kept (redis/clients/take-out.ts). */
export class Delta {
  set: (readonly [field: string, text: string])[]
  remove: string[]

  constructor(set: Delta['set'], remove: string[]) {
    this.set = set
    this.remove = remove
  }
}

/** Compares what Redis held with what the session holds now. Returns a promise if the serializer is asynchronous. */
export function difference(record: SessionRecord, next: FieldList, serializer: Serializer): Delta | Promise<Delta> {
  const { isCertain } = record
  const differing: Delta['set'] = []
  let known = 0
  for (const pair of next) {
    const [field, text] = pair
    const before = record.heldText(field)
    if (before !== undefined && isOurs(field)) known += 1
    if (before !== text || !(isCertain || !record.uncertain.has(field))) differing.push(pair)
  }
  const remove = isCertain && known === countOurs(record) ? [] : removedFrom(record, next)
  if (differing.length === 0) return new Delta([], remove)

  const isSame = differing.map(([field, text]) => {
    const before = record.uncertain.has(field) ? undefined : record.heldText(field)
    return before !== undefined && sameValue(field, before, text, serializer)
  })
  const deltaOf = (same: readonly boolean[]): Delta => {
    const changed = differing.filter((_, i) => !same[i])
    return new Delta(withWholeCookie(changed, next), remove)
  }
  return isSame.every((one) => typeof one === 'boolean') ? deltaOf(isSame) : Promise.all(isSame).then(deltaOf)
}

function countOurs(record: SessionRecord): number {
  let count = 0
  record.eachField((_, field) => {
    if (isOurs(field)) count += 1
  })
  return count
}

function removedFrom({ fields, uncertain }: SessionRecord, next: FieldList): string[] {
  const there = new Set(next.map(([field]) => field))
  const held = [...fields.keys(), ...[...uncertain].filter((field) => !fields.has(field))]
  return held.filter((field) => !there.has(field) && isOurs(field))
}

/** Adds all cookie fields if one of them has changed. Together they are one value, which must not mix two requests. */
function withWholeCookie(set: Delta['set'], next: FieldList): Delta['set'] {
  if (!set.some(([field]) => isCookieField(field))) return set
  const cookie = next.filter(([field]) => isCookieField(field)).map(([field, text]): [string, string] => [field, text])
  return [...set.filter(([field]) => !isCookieField(field)), ...cookie]
}

/**
 * Whether there may be a difference. Compares only texts, so an equal value with another text counts as a difference.
 */
export function mayDiffer(record: SessionRecord, next: FieldList): boolean {
  let known = 0
  for (const [field, text] of next) {
    if (record.heldText(field) !== text || (!record.isCertain && record.uncertain.has(field))) return true
    if (isOurs(field)) known += 1
  }
  return known !== countOurs(record)
}

/**
 * Whether properties have changed, but none of them in a way that shows in JSON: a Map, a Set or an instance that was
 * changed in place. Returns a promise if the serializer is asynchronous.
 */
export function differUnseen(
  record: SessionRecord,
  properties: FieldList,
  serializer: Serializer,
): boolean | Promise<boolean> {
  const there = new Set(properties.map(([field]) => field))
  for (const field of record.fields.keys()) if (propertyOf(field) !== undefined && !there.has(field)) return false
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
  // Strings without escapes are as different as their texts.
  if (serializer === JSON && isPlainString(before) && isPlainString(text)) return before === text
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

/** Returns the changes of everything but the cookie. */
export function withoutCookie(delta: Delta): Delta {
  return partOf(delta, (field) => !isCookieField(field))
}
