import { isDeepStrictEqual } from 'node:util'
import { fromText, isThenable, type Serializer, toText } from '../hash/serializer.js'
import type { MergeRule } from './rules.js'
import { type IsSame, mergeValues } from './three-way.js'

/** Three versions of one property as texts of the serializer; undefined: the property is not there. */
export interface Versions {
  /** What both sides started with. */
  base: string | undefined
  theirs: string | undefined
  mine: string | undefined
}

export interface MergedText {
  /** undefined: the property is removed. */
  text: string | undefined
  value: unknown
  /** Paths within the property. An empty path stands for the property itself. */
  conflicts: readonly (readonly string[])[]
}

/**
 * Merges two changes of a property.
 *
 * @throws TypeError if the application's function returns a promise, ERR_SESSION_NOT_SERIALIZABLE, and what that
 *   function throws
 */
export async function mergeTexts(
  serializer: Serializer,
  property: string,
  rule: MergeRule,
  { base, theirs, mine }: Versions,
): Promise<MergedText> {
  const mineOnly = (value: unknown): MergedText => ({ text: mine, value, conflicts: [] })
  if (theirs === base) return mineOnly(await read(serializer, mine))
  let values: unknown[]
  try {
    values = await Promise.all([base, theirs, mine].map((text) => read(serializer, text)))
  } catch {
    // What others have written cannot be read, so that there is nothing to merge. The serializer's error may quote it.
    return { ...mineOnly(await read(serializer, mine)), conflicts: [[]] }
  }
  const [was, is, wanted] = values
  const { value, conflicts } =
    rule === true
      ? mergeValues(was, is, wanted, sameBy(serializer))
      : { value: assertValue(property, rule(was, is, wanted)), conflicts: [] }
  return { text: toText(serializer, property, value), value, conflicts }
}

async function read(serializer: Serializer, text: string | undefined): Promise<unknown> {
  return text === undefined ? undefined : fromText(serializer, text)
}

function assertValue(property: string, value: unknown): unknown {
  if (!isThenable(value)) return value
  // The rejection of a promise that nobody waits for would end the process.
  void Promise.resolve(value).catch(() => undefined)
  throw new TypeError(`"merge.${property}" option must return the merged value at once, not a promise`)
}

/** Compares also by the serializer, because an instance may keep its content in private fields. */
function sameBy(serializer: Serializer): IsSame {
  if (serializer === JSON) return isDeepStrictEqual
  return (a, b) => {
    if (!isDeepStrictEqual(a, b)) return false
    if (typeof a !== 'object' || a === null) return true
    const text = serializer.stringify(a)
    // A serializer that writes one value differently each time proves no change.
    return serializer.stringify(b) === text || serializer.stringify(a) !== text
  }
}
