import { MAX_SID_LENGTH } from '../ids/sid.js'
import { checkNames } from '../known-options.js'
import type { StoreAccess } from '../requests/store-access.js'
import { hasPassed } from './already-ran.js'
import type { SessionBinding } from './binding/bind-options.js'
import { keepOutOfCaches } from './forbid-caching.js'
import { loginAgeMs } from './login-time.js'
import { passWithoutSession } from './pass-without-session.js'
import { settleCookie } from './response-cookie.js'
import { goOnAfter, hasSession, type Middleware, type SessionRequest, storeOf } from './session-request.js'

export interface RenewSessionOptions {
  /** Seconds after which a session gets its next id; 0 = whenever its client has confirmed the one before. Default 900. */
  every?: number
  /**
   * Seconds for which requests with the id before are still served once the client has come with the next one: those it
   * had sent meanwhile. To be less than `every`: an id two renewals old is taken for stolen at once. Default 30, or half of `every` if that is less.
   */
  grace?: number
}

const DEFAULTS = Object.freeze({ every: 900, grace: 30 })

/** Of ids that this process makes. What is appended to an id when it is renewed has to fit into an id with it. */
const LONGEST_ID = 200
/** Of ids that are there: `~r<6 digits>~<22 characters>` is appended. */
const LONGEST_RENEWABLE = MAX_SID_LENGTH - 31

/**
 * Gives every session in use its next id every now and then, so that a stolen one is of use for a short while only, and
 * shows when it comes back (OWASP Session Management Cheat Sheet, "Renewal Timeout"; RFC 9700, 4.14.2, for tokens).
 *
 * Of many requests at once one issues the next id, and all send the same. Until the client comes with it, the id before
 * is as good, and is answered with the same next id again: a lost response locks nobody out. After that, requests with
 * the id before are served for `grace` seconds, without a cookie and without what `requireFreshLogin` protects; what they
 * write reaches the session. Whoever comes with it later, or with an older one, has stolen it: the session is ended, and
 * `reuse` is emitted.
 *
 * Neither the idle nor the absolute timeout changes, nor does the session's key in Redis or its handle. Skips HEAD, upgrades
 * and, with `bindClient`, clients other than the one the session is bound to. Comes after `session()`.
 * Redis commands: none, but one script when an id is issued, sent again, confirmed, or is out of date, and one where
 * express-session sends the cookie again (`rolling`, or a `maxAge` and a changed session).
 *
 * @throws TypeError for unknown or malformed options
 */
export function renewSession(options: RenewSessionOptions = {}): Middleware {
  const { everyMs, graceMs } = checked(options)
  const pass = passWithoutSession('renewSession()')

  return function renewSession(request, res, next) {
    const req = request as SessionRequest & { sessionBinding?: SessionBinding }
    if (!hasSession(req)) return pass(request, res, next)
    if (hasPassed(req, 'renewSession()', pass)) return next()
    const store = storeOf(req, 'renewSession()')
    keepOutOfCaches(req, res)
    const { session } = req
    if (!store.state.isLoaded(session) && session.id.length > LONGEST_ID) throw idTooLong()
    const cookie = settleCookie(req, res, next, store)
    cookie.renewal = {
      everyMs,
      graceMs,
      mayIssue: () =>
        isOrdinary(req) &&
        session.id.length <= LONGEST_RENEWABLE &&
        (req.sessionBinding?.verdict ?? 'match') === 'match',
      isDue: (current) => isDue(store, current, everyMs),
    }
    const pending =
      store.arrivals.endReused(req) ??
      (store.renewal.visitOf(session)?.admission === 'successor' ? store.renewal.confirm(session) : undefined)
    goOnAfter(pending, req, next)
  }
}

/** Whether the session of this request is to be sent its next id; the script decides by Redis's clock. */
function isDue(store: StoreAccess, session: object, everyMs: number): boolean {
  const visit = store.renewal.visitOf(session)
  if (visit?.admission === 'predecessor') return true
  if (visit?.admission !== 'current') return false
  // A login has brought a new id along.
  return Date.now() - visit.issuedAtMs >= everyMs && loginAgeMs(store, session) >= everyMs
}

/** Programs that send HEAD or upgrade to a socket often keep no cookie from it. */
function isOrdinary(req: SessionRequest): boolean {
  return req.method !== 'HEAD' && req.headers.upgrade === undefined
}

function idTooLong(): TypeError {
  return new TypeError(`renewSession needs ids of at most ${LONGEST_ID} characters: shorten what "genid" returns`)
}

function checked(options: RenewSessionOptions): { everyMs: number; graceMs: number } {
  checkNames('renewSession', options, DEFAULTS, 'renewSession({ every: 900, grace: 30 })')
  const { every = DEFAULTS.every } = options
  if (typeof every !== 'number' || !Number.isFinite(every) || every < 0) {
    throw new TypeError('"every" option must be seconds, 0 or more')
  }
  // Where only `every` is given, and is short.
  const { grace = Math.min(DEFAULTS.grace, every / 2) } = options
  if (typeof grace !== 'number' || !Number.isFinite(grace) || grace < 0) {
    throw new TypeError('"grace" option must be seconds, 0 or more')
  }
  return { everyMs: Math.round(every * 1000), graceMs: Math.round(grace * 1000) }
}
