import { MAX_SID_LENGTH } from '../ids/sid.js'
import { checkNames } from '../known-options.js'
import type { StoreAccess } from '../requests/store-access.js'
import { alreadyRan } from './already-ran.js'
import type { SessionBinding } from './binding/bind-options.js'
import { forbidCaching } from './forbid-caching.js'
import { loginAgeMs } from './login-time.js'
import { passWithoutSession } from './pass-without-session.js'
import { responseCookie } from './response-cookie.js'
import { goOnAfter, hasSession, type Middleware, type SessionRequest, storeOf } from './session-request.js'

export interface RenewSessionOptions {
  /** Seconds until a session gets its next id. 0: as soon as its client has confirmed the previous one. Default 900. */
  every?: number
  /**
   * How many seconds the previous id is still accepted once the client has used the next one, for requests that were
   * already on their way. Choose less than `every`: an id that is two renewals old always counts as stolen. Default 30,
   * or half of `every` if that is less.
   */
  grace?: number
}

const DEFAULTS = Object.freeze({ every: 900, grace: 30 })

/** Maximum length of new ids, in characters: a renewal appends to an id, and the result must still be a valid id. */
const MAX_ID_LENGTH = 200
/** Maximum length of existing ids that can be renewed: `~r<6 digits>~<22 characters>` is appended. */
const MAX_RENEWABLE_LENGTH = MAX_SID_LENGTH - 31

/**
 * Renews the ids of sessions in use regularly. A thief can then use a stolen id only for a short time, and the id shows
 * the theft when it comes back (OWASP Session Management Cheat Sheet, "Renewal Timeout"; for tokens, RFC 9700, 4.14.2).
 *
 * If several requests arrive together, one issues the next id, and all responses send it. Until the client uses the
 * next id, the previous one stays valid, and each response to it sends the next id again; so a lost response locks
 * nobody out. After that, requests with the previous id are served for `grace` seconds. They get no cookie and no
 * access to what `requireFreshLogin` protects, but their changes reach the session. A request that brings this id
 * later, or an older one, proves theft: the session ends, and the store emits `reuse`.
 *
 * The idle and the absolute timeout, the session's key in Redis and its handle do not change. HEAD requests and
 * upgrades renew nothing. With `bindClient`, only requests of the client that the session is bound to renew its id.
 * Mount it after `session()`.
 *
 * Redis commands: one script when an id is issued, sent again, confirmed or out of date, and one when express-session
 * sends the cookie again (`rolling`, or a `maxAge` and a changed session); otherwise none. Until the first response of
 * a process shows whether `session()` uses `rolling`, the middleware assumes that it does.
 *
 * @throws TypeError for unknown or malformed options
 */
export function renewSession(options: RenewSessionOptions = {}): Middleware {
  const { everyMs, graceMs } = checked(options)
  const pass = passWithoutSession('renewSession()')

  return function renewSession(request, res, next) {
    const req = request as SessionRequest & { sessionBinding?: SessionBinding }
    if (!hasSession(req)) return pass(request, res, next)
    if (alreadyRan(req, 'renewSession()', pass)) return next()
    const store = storeOf(req, 'renewSession()')
    forbidCaching(req, res)
    const { session } = req
    if (!store.state.isLoaded(session) && session.id.length > MAX_ID_LENGTH) throw idTooLong()
    const cookie = responseCookie(req, res, next, store)
    cookie.renewal = {
      everyMs,
      graceMs,
      mayIssue: () =>
        isOrdinary(req) &&
        session.id.length <= MAX_RENEWABLE_LENGTH &&
        (req.sessionBinding?.verdict ?? 'match') === 'match',
      isDue: (current) => isDue(store, current, everyMs),
    }
    const pending =
      store.arrivals.endReused(req) ??
      (store.renewal.visitOf(session)?.admission === 'successor' ? store.renewal.confirm(session) : undefined)
    goOnAfter(pending, req, next)
  }
}

/** Whether to send this session its next id. The script has the last word, by Redis's clock. */
function isDue(store: StoreAccess, session: object, everyMs: number): boolean {
  const visit = store.renewal.visitOf(session)
  if (visit?.admission === 'predecessor') return true
  if (visit?.admission !== 'current') return false
  // A login counts as a renewal, because it changes the id.
  return Date.now() - visit.issuedAtMs >= everyMs && loginAgeMs(store, session) >= everyMs
}

/** Programs that send HEAD or open a socket often ignore the cookie of the response. */
function isOrdinary(req: SessionRequest): boolean {
  return req.method !== 'HEAD' && req.headers.upgrade === undefined
}

function idTooLong(): TypeError {
  return new TypeError(`renewSession needs ids of at most ${MAX_ID_LENGTH} characters: shorten what "genid" returns`)
}

function checked(options: RenewSessionOptions): { everyMs: number; graceMs: number } {
  checkNames('renewSession', options, DEFAULTS, 'renewSession({ every: 900, grace: 30 })')
  const { every = DEFAULTS.every } = options
  if (typeof every !== 'number' || !Number.isFinite(every) || every < 0) {
    throw new TypeError('"every" option must be seconds, 0 or more')
  }
  // The default must also fit a short `every`.
  const { grace = Math.min(DEFAULTS.grace, every / 2) } = options
  if (typeof grace !== 'number' || !Number.isFinite(grace) || grace < 0) {
    throw new TypeError('"grace" option must be seconds, 0 or more')
  }
  return { everyMs: Math.round(every * 1000), graceMs: Math.round(grace * 1000) }
}
