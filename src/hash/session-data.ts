import { isDeepStrictEqual } from 'node:util'
import type { SessionData } from 'express-session'
import { SessionStoreError } from '../errors.js'
import type { SessionContent, Whatever } from './session-content.js'

/** A cookie as JSON holds it: what `MemoryStore` and connect-redis hand out. */
export interface PlainCookie {
  originalMaxAge?: number | null
  expires?: string | number | null | false
  httpOnly?: boolean
  path?: string
  domain?: string
  secure?: boolean
  sameSite?: boolean | string
  partitioned?: boolean
  priority?: string
}

/** A session as a store receives it: a live `Session`, or plain data with or without a cookie. */
export type AnySession = SessionData | Record<string, unknown>

/** What an application keeps in a session, where its types do not matter. */
export type AnyContent = SessionContent<Whatever>

interface CookieLike {
  toJSON?: () => unknown
  serialize?: unknown
}

/**
 * Whether this is a Cookie object of express-session or of a host like it (@fastify/session): its `originalMaxAge` says how
 * long a visit may pause, and its `expires` moves by itself.
 */
export function isLiveCookie(cookie: unknown): cookie is { toJSON(): unknown } {
  return typeof (cookie as CookieLike | undefined)?.toJSON === 'function'
}

/** Whether it is express-session's own. */
export function isExpressCookie(cookie: unknown): boolean {
  return typeof (cookie as CookieLike | undefined)?.serialize === 'function'
}

/**
 * Whether express-session's Cookie is as it was loaded, but for `expires`, which moves by itself. What this says at a glance of
 * nearly every request, `encodeCookie` would find out at length; when in doubt, no.
 */
export function isUntouched(cookie: unknown, loaded: Readonly<PlainCookie>): cookie is PlainCookie {
  if (!isLiveCookie(cookie)) return false
  const { originalMaxAge, expires, httpOnly, path, domain, secure, sameSite, partitioned, priority } =
    cookie as PlainCookie
  return (
    originalMaxAge === loaded.originalMaxAge &&
    (expires ? Boolean(loaded.expires) : expires === loaded.expires) &&
    httpOnly === loaded.httpOnly &&
    path === loaded.path &&
    domain === loaded.domain &&
    secure === loaded.secure &&
    sameSite === loaded.sameSite &&
    partitioned === loaded.partitioned &&
    priority === loaded.priority
  )
}

/**
 * express-session's Cookie wants a Date for `expires`, and gets no text by itself but from a store. One that an application assigns
 * means the same; as a text, express-session would throw over it while it ends the response.
 */
export function convertExpires(cookie: unknown): void {
  if (!isLiveCookie(cookie)) return
  const { expires } = cookie as { expires?: unknown }
  const date = typeof expires === 'string' ? new Date(expires) : undefined
  if (date !== undefined && !Number.isNaN(date.getTime())) Object.assign(cookie as object, { expires: date })
}

/**
 * The cookie of a session as JSON would keep it; undefined where there is none.
 *
 * @throws ERR_SESSION_INVALID_COOKIE for what express-session could not use when the visitor comes back,
 *   ERR_SESSION_NOT_SERIALIZABLE for what JSON cannot hold
 */
export function plainCookie(session: AnySession): PlainCookie | undefined {
  const cookie = (session as { cookie?: CookieLike }).cookie
  convertExpires(cookie)
  const isLive = isLiveCookie(cookie)
  const source: unknown = isLive ? cookie.toJSON() : cookie
  if (!source) return undefined
  if (typeof source !== 'object' || Array.isArray(source)) throw invalidCookie('cookie', 'an object')
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(source)) {
    if (name === '__proto__' || value === undefined || typeof value === 'function' || typeof value === 'symbol')
      continue
    // @fastify/session's note of what `expires` was at the load; it would make every save a change.
    if (isLive && name === 'originalExpires') continue
    plain[name] = asInJson(name, value)
  }
  if (!isUsableCookie(plain)) throw invalidCookie('originalMaxAge and maxAge', 'milliseconds as a number, or null')
  // A text that is no date means nothing to express-session, nor to us: the session then lives as long as the store's `ttl`.
  if (plain.expires && !/^(string|number)$/.test(typeof plain.expires))
    throw invalidCookie('expires', 'a Date, or null')
  return plain as PlainCookie
}

/** A copy's `expires` is as old as the load that it was made from; a cookie with a lifetime of its own goes by that. */
export function withExpires(session: AnySession, expires: PlainCookie['expires']): AnySession {
  const { cookie } = session as { cookie?: PlainCookie }
  if (isLiveCookie(cookie) || typeof cookie?.originalMaxAge !== 'number') return session
  return { ...session, cookie: { ...cookie, expires } } as AnySession
}

function asInJson(name: string, value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  try {
    return JSON.parse(JSON.stringify(value)) as unknown
  } catch {
    // The message of JSON's own error may quote the value.
    throw new SessionStoreError(
      'ERR_SESSION_NOT_SERIALIZABLE',
      `${JSON.stringify(name)} of the session's "cookie" is nothing that JSON can hold; nothing was saved`,
    )
  }
}

/** What `expires` says, in milliseconds since 1970; NaN: nothing. */
export function timeOf(expires: unknown): number {
  if (typeof expires === 'number') return expires
  return typeof expires === 'string' ? new Date(expires).getTime() : Number.NaN
}

function invalidCookie(what: string, rule: string): SessionStoreError {
  const where = what === 'cookie' ? 'the cookie of a session' : `${what} of a session's cookie`
  return new SessionStoreError('ERR_SESSION_INVALID_COOKIE', `${where} must be ${rule}; nothing was saved`)
}

/** express-session reads the clock twice for one maxAge, and may come out a millisecond short. */
const CLOCK_DRIFT_MS = 5

/** Whether two lifetimes, in milliseconds, differ by no more than express-session makes them differ by itself. */
export function isSameLifetime(a: number, b: number): boolean {
  return Math.abs(a - b) <= CLOCK_DRIFT_MS
}

/** Whether two cookies differ in nothing but what moves by itself; what is not there is as express-session makes it. */
export function isSameCookie(a: PlainCookie | undefined, b: PlainCookie | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  const { originalMaxAge: ofA, ...restOfA } = complete(a)
  const { originalMaxAge: ofB, ...restOfB } = complete(b)
  const isSame = typeof ofA === 'number' && typeof ofB === 'number' ? isSameLifetime(ofA, ofB) : ofA === ofB
  return isSame && isDeepStrictEqual(restOfA, restOfB)
}

function complete(cookie: PlainCookie): PlainCookie {
  return { originalMaxAge: null, httpOnly: true, path: '/', ...cookie, expires: null }
}

/**
 * JSON.parse makes `__proto__` an own property, harmless until somebody copies it: assigning it replaces the copy's
 * prototype (ASVS 15.3.6).
 */
export function dropProto<T extends object>(parsed: T): T {
  Reflect.deleteProperty(parsed, '__proto__')
  return parsed
}

/**
 * express-session throws over a maxAge that is no number, and does so while it ends the response: the visitor would wait
 * for ever.
 */
export function isUsableCookie(cookie: object): boolean {
  const { originalMaxAge, maxAge } = cookie as { originalMaxAge?: unknown; maxAge?: unknown }
  return [originalMaxAge, maxAge].every((ms) => !ms || typeof ms === 'number')
}
