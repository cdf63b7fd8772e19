import { SessionStoreError } from '../errors.js'
import { isLiveCookie, type PlainCookie, timeOf } from '../hash/live-cookie.js'
import type { AnySession } from '../hash/session-data.js'
import type { ResolvedOptions } from '../options.js'

/** A hundred years. PEXPIRE overflows with much larger values. */
const MAX_MS = 100 * 365.25 * 86_400_000

/**
 * Computes how long the session may stay unused, in milliseconds; 0 or less: it has expired.
 *
 * For a live session, `originalMaxAge` of its cookie counts, not `expires`: `expires` goes stale while a request runs,
 * and a save that relied on it would end a session in use. For plain data that was never loaded, `expires` counts, as
 * in MemoryStore.
 *
 * @param loadedExpires value of `expires` when the session was loaded; if it is the same now, nobody has changed it
 */
export function idleMs(
  session: AnySession,
  cookie: PlainCookie | undefined,
  options: ResolvedOptions,
  loadedExpires?: PlainCookie['expires'],
): number {
  const byCookie = cookie === undefined ? undefined : idleOfCookie(session, cookie, loadedExpires)
  // Redis takes only finite numbers: -Infinity is as expired as -1.
  return Math.max(-1, Math.min(Math.round(byCookie ?? idleOfOption(session, options)), MAX_MS))
}

function idleOfCookie(
  session: AnySession,
  cookie: PlainCookie,
  loadedExpires: PlainCookie['expires'],
): number | undefined {
  const { originalMaxAge, expires } = cookie
  const maxAge = (cookie as { maxAge?: unknown }).maxAge
  if (!expires) return finite(expires === undefined ? maxAge : undefined)
  const slides = isLiveCookie((session as { cookie?: unknown }).cookie) || expires === loadedExpires
  return (slides ? finite(originalMaxAge) : undefined) ?? finite(timeOf(expires) - Date.now())
}

function idleOfOption(session: AnySession, options: ResolvedOptions): number {
  if (typeof options.ttl === 'number') return options.ttl * 1000
  const seconds: unknown = options.ttl(session)
  if (typeof seconds === 'number' && !Number.isNaN(seconds)) return seconds * 1000
  throw new SessionStoreError('ERR_SESSION_INVALID_TTL', '"ttl" option must return a number of seconds')
}

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
