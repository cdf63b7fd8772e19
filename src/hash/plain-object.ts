export type PlainObject = Record<string, unknown>

/** Whether a value is an object of names and values; false for lists, dates, and instances of classes. */
export function isPlainObject(value: unknown): value is PlainObject {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
