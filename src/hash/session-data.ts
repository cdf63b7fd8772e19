import type { SessionData } from 'express-session'

/** A session as a store receives it: `req.session`, or plain data with or without a cookie. */
export type AnySession = SessionData | Record<string, unknown>

/**
 * Deletes the own property `__proto__` that JSON.parse may create. If somebody copied the object property by property,
 * assigning it would replace the prototype of the copy (ASVS 15.3.6).
 */
export function dropProto<T extends object>(parsed: T): T {
  Reflect.deleteProperty(parsed, '__proto__')
  return parsed
}
