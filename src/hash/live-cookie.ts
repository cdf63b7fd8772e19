import { isDeepStrictEqual } from 'node:util'
import { SessionStoreError } from '../errors.js'
import type { AnySession } from './session-data.js'

/** A cookie after conversion to JSON, as `MemoryStore` and connect-redis return it. */
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

interface CookieLike {
  toJSON?: () => unknown
  serialize?: unknown
}

/**
 * Whether this is a Cookie object of express-session or of a similar host (@fastify/session). Its `originalMaxAge` is
 * the idle timeout, and the host refreshes its `expires` at each request.
 */
export function isLiveCookie(cookie: unknown): cookie is { toJSON(): unknown } {
  return typeof (cookie as CookieLike | undefined)?.toJSON === 'function'
}

/** Whether this is a Cookie object of express-session. */
export function isExpressCookie(cookie: unknown): cookie is { serialize(name: string, value: string): string } {
  return typeof (cookie as CookieLike | undefined)?.serialize === 'function'
}

/**
 * Whether a Cookie object has not changed since it was loaded, except for `expires`, which the host refreshes. This is
 * a fast path for nearly every request: `encodeCookie` would come to the same result, but takes longer. False if in
 * doubt.
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
 * Turns a text that the application has assigned to `cookie.expires` into a Date. express-session expects a Date there,
 * and with a text would throw while it ends the response.
 */
export function convertExpires(cookie: unknown): void {
  if (!isLiveCookie(cookie)) return
  const { expires } = cookie as { expires?: unknown }
  const date = typeof expires === 'string' ? new Date(expires) : undefined
  if (date !== undefined && !Number.isNaN(date.getTime())) Object.assign(cookie as object, { expires: date })
}

/**
 * Converts the cookie of a session to JSON values; undefined if the session has no cookie.
 *
 * @throws ERR_SESSION_INVALID_COOKIE if express-session could not use the cookie at the visitor's next request,
 *   ERR_SESSION_NOT_SERIALIZABLE if JSON cannot represent an attribute
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
    // @fastify/session notes here the `expires` at the load. It differs each time, so every save would write the
    // cookie.
    if (isLive && name === 'originalExpires') continue
    plain[name] = asInJson(name, value)
  }
  if (!isUsableCookie(plain)) throw invalidCookie('originalMaxAge and maxAge', 'milliseconds as a number, or null')
  if (!isSendable(cookie))
    throw invalidCookie('maxAge, expires, domain, path, sameSite and priority', 'what a cookie can have')
  // Accept a text that is no date: express-session ignores it, and the session gets the store's `ttl`.
  if (plain.expires && !/^(string|number)$/.test(typeof plain.expires))
    throw invalidCookie('expires', 'a Date, or null')
  return plain as PlainCookie
}

/**
 * Replaces the `expires` of a copied session, whose value dates from the load. Leaves the session unchanged if its
 * cookie is a live one or has no `originalMaxAge`.
 *
 * @returns the session, or a copy with the given `expires`
 */
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
    // JSON's error message may quote the value.
    throw new SessionStoreError(
      'ERR_SESSION_NOT_SERIALIZABLE',
      `${JSON.stringify(name)} of the session's "cookie" is nothing that JSON can hold; nothing was saved`,
    )
  }
}

/** Converts `expires` to milliseconds since 1970; NaN if it is no time. */
export function timeOf(expires: unknown): number {
  if (typeof expires === 'number') return expires
  return typeof expires === 'string' ? new Date(expires).getTime() : Number.NaN
}

function invalidCookie(what: string, rule: string): SessionStoreError {
  const where = what === 'cookie' ? 'the cookie of a session' : `${what} of a session's cookie`
  return new SessionStoreError('ERR_SESSION_INVALID_COOKIE', `${where} must be ${rule}; nothing was saved`)
}

/** express-session reads the clock twice for one `maxAge`, so the result may be some milliseconds short. */
const CLOCK_DRIFT_MS = 5

/** Whether two lifetimes, in milliseconds, are equal up to the inaccuracy of express-session. */
export function isSameLifetime(a: number, b: number): boolean {
  return Math.abs(a - b) <= CLOCK_DRIFT_MS
}

/** Whether two cookies are equal apart from `expires`. Absent attributes count as express-session's defaults. */
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
 * Whether express-session can make a header of this cookie. With a `maxAge` of NaN, or a path with a line break, it would leave the
 * cookie out, and the visitor would be told of a login that their next request knows nothing of.
 */
function isSendable(cookie: unknown): boolean {
  if (!isExpressCookie(cookie)) return true
  try {
    cookie.serialize('sid', '')
    return true
  } catch {
    return false
  }
}

/**
 * Whether express-session can use this cookie. With a `maxAge` that is no number it would throw while it ends the
 * response, and the visitor would wait for ever.
 */
export function isUsableCookie(cookie: object): boolean {
  const { originalMaxAge, maxAge } = cookie as { originalMaxAge?: unknown; maxAge?: unknown }
  return [originalMaxAge, maxAge].every((ms) => !ms || typeof ms === 'number')
}
