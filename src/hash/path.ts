import { isProperty } from './field-name.js'
import { isPlainObject } from './plain-object.js'

/** A way to a value of a session: the name of a property, and of keys of plain objects. */
export type Path = readonly [property: string, ...names: string[]]

const MAX_NAMES = 100

/**
 * @param method shown in the error message
 * @throws TypeError if it is no such list, or no session can have a value there
 */
export function assertPath(method: string, path: unknown): asserts path is Path {
  const isList = Array.isArray(path) && path.length > 0 && path.every((name) => typeof name === 'string')
  if (!isList || path.length > MAX_NAMES) {
    throw new TypeError(
      `${method} takes a path as a list of 1 to ${MAX_NAMES} names: ${method}(sid, ['preferences', 'theme'])`,
    )
  }
  if (!isProperty(path[0] as string) || path.includes('__proto__')) {
    throw new TypeError(`the path of ${method} must not begin with "cookie", or lead through "__proto__"`)
  }
}

/** Returns the value at the end of a path; undefined if there is none. Only keys of plain objects count. */
export function valueAt(from: unknown, names: readonly string[]): unknown {
  let at = from
  for (const name of names) {
    if (!isPlainObject(at) || !Object.hasOwn(at, name)) return undefined
    at = at[name]
  }
  return at
}

/** Thrown if a path leads through a value that has no keys of its own. */
export class NoWay extends Error {
  /** How many names lead to that value. */
  readonly depth: number
  constructor(depth: number) {
    super('the path leads through a value that is no plain object')
    this.depth = depth
  }
}

/**
 * Sets the value at the end of a path, and makes plain objects on the way. Changes `from`, if that is an object.
 *
 * @param value undefined removes the key
 * @returns the changed `from`; undefined if there is nothing
 * @throws NoWay
 */
export function withValueAt(from: unknown, names: readonly string[], value: unknown, depth = 0): unknown {
  const [name, ...rest] = names
  if (name === undefined) return value
  if (from === undefined && value === undefined) return undefined
  const object = from === undefined ? {} : from
  if (!isPlainObject(object)) throw new NoWay(depth)
  const inner = withValueAt(Object.hasOwn(object, name) ? object[name] : undefined, rest, value, depth + 1)
  if (inner === undefined) delete object[name]
  else object[name] = inner
  return object
}
