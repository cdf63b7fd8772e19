import type { SessionData } from 'express-session'

/** A session as a store receives it: a live `Session`, or plain data with or without a cookie. */
export type AnySession = SessionData | Record<string, unknown>

/**
 * JSON.parse makes `__proto__` an own property, harmless until somebody copies it: assigning it replaces the copy's
 * prototype (ASVS 15.3.6).
 */
export function dropProto<T extends object>(parsed: T): T {
  Reflect.deleteProperty(parsed, '__proto__')
  return parsed
}
