import { isDeepStrictEqual } from 'node:util'
import { isCookieField } from '../hash/cookie.js'
import { propertyOf } from '../hash/field-name.js'
import type { Fields } from '../hash/fields.js'
import { isThenable, type Serializer } from '../hash/serializer.js'
import type { SessionRecord } from './session-record.js'

/** What a save has to write. */
export interface Delta {
  set: [field: string, text: string][]
  remove: string[]
}

/** The difference between what Redis held and what the session holds now. A promise if the serializer takes its time. */
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

/** The cookie is one value in several fields: its pieces must not come from two requests. */
function withWholeCookie(set: Delta['set'], next: Fields): Delta['set'] {
  if (!set.some(([field]) => isCookieField(field))) return set
  return [...set.filter(([field]) => !isCookieField(field)), ...[...next].filter(([field]) => isCookieField(field))]
}

/** Whether there is a difference, judged by the texts alone: a text of another make counts as one. */
export function mayDiffer(record: SessionRecord, next: Fields): boolean {
  for (const [field, text] of next) if (record.fields.get(field) !== text || record.uncertain.has(field)) return true
  for (const field of record.fields.keys()) if (!next.has(field) && isOurs(field)) return true
  return false
}

/**
 * Whether properties have changed, and none of them in a way that JSON shows: a Map, a Set or an instance that was changed in place.
 * A promise if the serializer takes its time.
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
    // Sent and not confirmed: what Redis holds nobody knows, so it is written again.
    if (record.uncertain.has(field)) changes.push('unseen')
    else if (before === undefined) return false
    else if (before !== text) changes.push(changeOf(before, text, serializer))
  }
  const isUnseen = (all: readonly Change[]) => all.includes('unseen') && !all.includes('seen')
  return changes.every((one) => typeof one === 'string') ? isUnseen(changes) : Promise.all(changes).then(isUnseen)
}

/** What JSON shows of a change. */
type Change = 'none' | 'seen' | 'unseen'

function changeOf(before: string, text: string, serializer: Serializer): Change | Promise<Change> {
  const judge = ([was, is]: readonly unknown[]): Change => {
    if (isSame(was, is, text, serializer)) return 'none'
    return JSON.stringify(was) === JSON.stringify(is) ? 'unseen' : 'seen'
  }
  // What cannot be read, or is no JSON, express-session does see (requests/live-session.ts).
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
 * A text of another make (another serializer version, an edit by hand) is no change of the value. Without this check an
 * untouched property would be written back, over what another request made of it.
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

/** Equal, also in what only the serializer knows of: an instance may keep its content in private fields. */
function isSame(before: unknown, now: unknown, text: string, serializer: Serializer): boolean {
  if (!isDeepStrictEqual(before, now)) return false
  if (serializer === JSON || serializer.stringify(before) === text) return true
  // One that writes the same value differently each time tells nothing.
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

/** Bookkeeping of other features, and fields that never became a property, are not this save's to remove. */
export function isOurs(field: string): boolean {
  return propertyOf(field) !== undefined || isCookieField(field)
}

export function isEmpty(delta: Delta): boolean {
  return delta.set.length === 0 && delta.remove.length === 0
}

/** Redis has confirmed: the record now holds what Redis holds. */
export function applyDelta(record: SessionRecord, delta: Delta): void {
  for (const [field, text] of delta.set) record.holds(field, text)
  for (const field of delta.remove) record.holds(field, undefined)
}

/** About to be sent: until Redis confirms, the write may have happened, or happen later. */
export function doubtDelta(record: SessionRecord, delta: Delta): void {
  for (const [field] of delta.set) record.uncertain.add(field)
  for (const field of delta.remove) record.uncertain.add(field)
}
