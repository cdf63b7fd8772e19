import type { SessionData } from 'express-session'
import { SessionStoreError } from '../errors.js'
import { LEVEL_FIELD, LOGIN_FIELD } from '../hash/bookkeeping.js'
import type { PropertyName } from '../hash/session-content.js'
import { checkNames } from '../known-options.js'
import { carryOverDevice } from './device/carry-over-device.js'
import { forbidCaching } from './forbid-caching.js'
import { keepOption } from './keep-option.js'
import { isSuperseded, loginAgeMs, recordLogin } from './login-time.js'
import { isWithoutResponse, responseOf } from './response-of.js'
import { carryOverLevel, levelNow, sessionLevel } from './session-level.js'
import { abandonSession, type SessionRequest, saveSession, storeOf } from './session-request.js'

declare global {
  namespace Express {
    interface Request {
      /**
       * How surely the user of the request's current session has proved who they are. 0: nobody has logged in. 1:
       * somebody has. Above: what `rotateSession` was told. Set by `rotateOnLogin` and `secureSession`.
       */
      sessionLevel?: number
      /** How the user has proved it, as `rotateSession` was told. */
      sessionMethods?: readonly string[]
    }
  }
}

export interface RotateSessionOptions<Data extends object = SessionData> {
  /** Which properties the session keeps under its new id: `'all'` (default), `'none'`, or a list of names. */
  keep?: 'all' | 'none' | readonly PropertyName<Data>[]
  /** The `reason` of the `rotated` event. Default `'demand'`. */
  reason?: string
  /**
   * Whether the user has just proved who they are, as `requireFreshLogin` demands. Default true. WARNING: set it to
   * false unless this request has checked a password or passkey. Otherwise a stolen session would count as freshly
   * logged in.
   */
  login?: boolean
  /**
   * How surely the user has just proved who they are: a whole number from 1 to 9, such as the authenticator assurance
   * level of NIST SP 800-63B. `requireFreshLogin({ level })` demands it, and `req.sessionLevel` tells it. It replaces
   * the level of the session, even a higher one. Without it, the session keeps its level, and the time at which that
   * was proved. With `login: false`, it must not be higher than the session's. The login of another user begins at
   * level 1.
   */
  level?: number
  /**
   * How the user has proved it, for `req.sessionMethods`: names as in RFC 8176, such as `['pwd', 'otp']`. Needs
   * `level`.
   */
  methods?: readonly string[]
}

const NAMES: Record<keyof RotateSessionOptions, 0> = { keep: 0, reason: 0, login: 0, level: 0, methods: 0 }

/**
 * Gives the session of this request a new id immediately. Use it after a re-authentication or a change of privileges,
 * when the user stays the same. It deletes the old session first, then saves the new one with the same creation time,
 * absolute deadline and cookie. Use `req.session` afterwards, not a reference that was taken before.
 *
 * @returns true; false if the session had ended meanwhile, or, with `login: false`, if the id of the request has been
 *   renewed. The request then continues without a session, and nothing is saved.
 * @throws ERR_SESSION_HEADERS_SENT if the response has begun, or if there is none, as with a socket; another
 *   SessionStoreError if a Redis command fails; TypeError for malformed options, or a request without a session
 */
export async function rotateSession<Data extends object = SessionData>(
  request: object,
  options: RotateSessionOptions<Data> = {},
): Promise<boolean> {
  const req = request as SessionRequest
  checkNames('rotateSession', options, NAMES, 'rotateSession(req, { level: 2 })')
  const { keep = 'all', reason = 'demand', login = true } = options
  const isKept = keepOption(keep)
  const store = storeOf(req, 'rotateSession()')
  const { session } = req
  if (!session) throw new TypeError('rotateSession needs a request with a session')
  const level = levelOption(options, sessionLevel(store, session).level)
  prepareResponse(req)
  const goOnWithout = () => {
    abandonSession(req)
    return false
  }
  // A thief may have sent this request. Without a proof of who they are, they must not get a new id.
  if (!login && isSuperseded(store, session)) return goOnWithout()
  const wasLoaded = store.state.isLoaded(session)
  try {
    const rotation = { isKept, keepsWritten: false, cookie: session.cookie, reason, mustExist: true, isLast: false }
    if (wasLoaded && !(await store.rotation.rotate(req, rotation))) return goOnWithout()
    const fresh = req.session as typeof session
    // If the login is stale, because another client uses the session, a password alone must not bring back a higher level.
    const keepsLevel = !login || Number.isFinite(loginAgeMs(store, session))
    const loggedInAt = store.fields.marked(session, LOGIN_FIELD)
    // The user stays the same, and so does their browser's key.
    if (wasLoaded) carryOverDevice(store, session, fresh)
    if (level !== undefined) store.fields.mark(fresh, LEVEL_FIELD, level)
    else if (wasLoaded && keepsLevel) carryOverLevel(store, session, fresh)
    if (login) recordLogin(store, fresh)
    else if (loggedInAt !== undefined) store.fields.mark(fresh, LOGIN_FIELD, loggedInAt)
    await saveSession(fresh)
    // All sessions of the user may have been ended in between.
    return (store.state.isStored(fresh) && !store.state.hasEnded(fresh)) || goOnWithout()
  } catch (err) {
    abandonSession(req)
    throw err
  }
}

type LevelOptions = Pick<RotateSessionOptions, 'level' | 'methods' | 'login'>

/**
 * @param known the level that the session has
 * @returns the text of the field; undefined: it is not to change
 * @throws TypeError that names the option
 */
function levelOption({ level, methods, login = true }: LevelOptions, known: number): string | undefined {
  if (level === undefined) {
    if (methods !== undefined) throw new TypeError('"methods" option needs "level": what they have proved')
    return undefined
  }
  const text = levelNow(level, methods)
  if (login || level <= known) return text
  throw new TypeError('"level" option must not rise with "login: false": the user has not proved who they are')
}

/** @throws ERR_SESSION_HEADERS_SENT if the response cannot carry the new cookie */
function prepareResponse(req: SessionRequest): void {
  const res = responseOf(req)
  if (res?.headersSent || isWithoutResponse(req, res)) throw headersSent()
  if (res !== undefined) forbidCaching(req, res)
}

export function headersSent(): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_HEADERS_SENT',
    'the response had begun, or there is none (a socket), so that no new session id can be sent; nothing was saved',
  )
}
