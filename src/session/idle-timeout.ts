import { SessionStoreError } from '../errors.js'
import { isLiveCookie, type PlainCookie, timeOf } from '../hash/live-cookie.js'
import type { AnySession } from '../hash/session-data.js'
import type { ResolvedOptions } from '../options.js'

/** A hundred years: beyond it PEXPIRE would overflow. */
const LONGEST_MS = 100 * 365.25 * 86_400_000

/**
 * How long the session may stay unused, in milliseconds; 0 or less: it has expired.
 *
 * A live session counts by its cookie's `originalMaxAge`, not by `expires`: that one goes stale while a request runs,
 * and a save that believed it would end a session in use. Plain data that was never loaded means what its `expires`
 * says, as in MemoryStore.
 *
 * @param loadedExpires what `expires` was when the session was loaded; the same now means "nobody changed it"
 */
export function idleMs(
  session: AnySession,
  cookie: PlainCookie | undefined,
  options: ResolvedOptions,
  loadedExpires?: PlainCookie['expires'],
): number {
  const byCookie = cookie === undefined ? undefined : idleOfCookie(session, cookie, loadedExpires)
  // Whatever comes of it is a number that Redis can take: -Infinity is as expired as -1.
  return Math.max(-1, Math.min(Math.round(byCookie ?? idleOfOption(session, options)), LONGEST_MS))
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
