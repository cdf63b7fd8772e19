import { isDeepStrictEqual } from 'node:util'
import { isCookieField } from './cookie.js'
import { propertyOf } from './field-name.js'
import type { Serializer } from './serializer.js'
import type { Fields, SessionRecord } from './session-record.js'

/** What a save has to write. */
export interface Delta {
  set: [field: string, text: string][]
  remove: string[]
}

/** The difference between what Redis held and what the session holds now. */
export async function difference(record: SessionRecord, next: Fields, serializer: Serializer): Promise<Delta> {
  const differing = [...next].filter(
    ([field, text]) => record.fields.get(field) !== text || record.uncertain.has(field),
  )
  const isSame = await Promise.all(
    differing.map(([field, text]) => {
      const before = record.uncertain.has(field) ? undefined : record.fields.get(field)
      return before !== undefined && sameValue(field, before, text, serializer)
    }),
  )
  const delta: Delta = {
    set: withWholeCookie(
      differing.filter((_, i) => !isSame[i]),
      next,
    ),
    remove: [],
  }
  for (const field of new Set([...record.fields.keys(), ...record.uncertain])) {
    if (!next.has(field) && isOurs(field)) delta.remove.push(field)
  }
  return delta
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
 * A text of another make (another serializer version, an edit by hand) is no change of the value. Without this check an
 * untouched property would be written back, over what another request made of it.
 */
export async function sameValue(field: string, before: string, text: string, serializer: Serializer): Promise<boolean> {
  if (propertyOf(field) === undefined) return false
  try {
    return isDeepStrictEqual(await serializer.parse(before), await serializer.parse(text))
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
  for (const [field, text] of delta.set) {
    record.fields.set(field, text)
    record.uncertain.delete(field)
  }
  for (const field of delta.remove) {
    record.fields.delete(field)
    record.uncertain.delete(field)
  }
}

/** About to be sent: until Redis confirms, the write may have happened, or happen later. */
export function doubtDelta(record: SessionRecord, delta: Delta): void {
  for (const [field] of delta.set) record.uncertain.add(field)
  for (const field of delta.remove) record.uncertain.add(field)
}
