import { isDeepStrictEqual } from 'node:util'
import { isPlainObject, type PlainObject } from '../hash/plain-object.js'

/** Compares two values that do not consist of others that could be merged. */
export type IsSame = (a: unknown, b: unknown) => boolean

export interface Merged {
  value: unknown
  /** Paths of the leaves that both sides have changed to different values; `value` has ours. */
  conflicts: readonly (readonly string[])[]
}

/** Deeper objects are leaves, so that no session can exhaust the stack. */
const MAX_DEPTH = 100
/** Further conflicts are not listed. */
const MAX_CONFLICTS = 100

/** Stands for a property that is not there, because undefined may be the value of one that is. */
const ABSENT = Symbol('absent')

/**
 * Merges two changes of one value. Plain objects are merged key by key. Everything else is a leaf: arrays, dates,
 * instances of classes, scalars. Where only one side has changed a leaf, its change counts; equal changes are one; an
 * edit wins over a deletion. Where both have changed a leaf, `mine` wins, and the path is a conflict. The three values
 * are not modified, and a key named `__proto__` is dropped.
 *
 * @param base the value that both sides started with; undefined: there was none
 * @param theirs undefined: deleted
 * @param mine undefined: deleted
 */
export function mergeValues(base: unknown, theirs: unknown, mine: unknown, isSame: IsSame = isDeepStrictEqual): Merged {
  const merging = new Merging(isSame)
  const value = merging.merge(absentIf(base), absentIf(theirs), absentIf(mine), [])
  return { value: value === ABSENT ? undefined : value, conflicts: merging.conflicts }
}

function absentIf(value: unknown): unknown {
  return value === undefined ? ABSENT : value
}

class Merging {
  readonly conflicts: string[][] = []
  readonly #isSame: IsSame
  /** An object that occurs several times, as some serializers restore it, is merged once: the result is a tree. */
  readonly #seen = new Set<unknown>()

  constructor(isSame: IsSame) {
    this.#isSame = isSame
  }

  merge(base: unknown, theirs: unknown, mine: unknown, path: readonly string[]): unknown {
    if (path.length < MAX_DEPTH && this.#isFirst(theirs) && this.#isFirst(mine)) {
      return this.#mergeObjects(isPlainObject(base) ? base : {}, theirs, mine, path)
    }
    if (this.#isEqual(theirs, base) || this.#isEqual(theirs, mine)) return mine
    if (this.#isEqual(mine, base) || mine === ABSENT) return theirs
    if (theirs !== ABSENT && this.conflicts.length < MAX_CONFLICTS) this.conflicts.push([...path])
    return mine
  }

  #mergeObjects(base: PlainObject, theirs: PlainObject, mine: PlainObject, path: readonly string[]): PlainObject {
    const merged: PlainObject = {}
    for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
      if (name === '__proto__') continue
      const value = this.merge(valueIn(base, name), valueIn(theirs, name), valueIn(mine, name), [...path, name])
      if (value !== ABSENT) merged[name] = value
    }
    return merged
  }

  #isFirst(value: unknown): value is PlainObject {
    if (!isPlainObject(value) || this.#seen.has(value)) return false
    this.#seen.add(value)
    return true
  }

  #isEqual(a: unknown, b: unknown): boolean {
    if (a === b) return true
    if (a === ABSENT || b === ABSENT) return false
    try {
      return this.#isSame(a, b)
    } catch {
      // A structure that is too deep to be compared. If in doubt, it was changed.
      return false
    }
  }
}

/** Only own properties count: `constructor` and `toString` are names like any others. */
function valueIn(object: PlainObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : ABSENT
}
