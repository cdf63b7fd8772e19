import type { IncomingMessage, ServerResponse } from 'node:http'
import { SessionStoreError } from '../errors.js'
import { checkNames } from '../known-options.js'
import type { StoreAccess } from '../requests/store-access.js'
import { loginAgeMs } from './login-time.js'
import { neededLevel, sessionLevel } from './session-level.js'
import { hasSession, type Middleware, type SessionRequest, storeOf } from './session-request.js'

export interface RequireFreshLoginOptions {
  /**
   * Maximum age of the login, and of the proof of its level, in seconds. Required without `level`; with `level`, the
   * default is no limit.
   */
  within?: number
  /**
   * The level that `rotateSession(req, { level })` must have recorded: 1 to 9. Default 1, any login; with the presets
   * `'nist-aal2'` and `'nist-aal3'` of `secureSession`, 2 and 3.
   */
  level?: number
  /**
   * A function `(req, res, next)` that handles a request whose login is too old, has too low a level or is missing,
   * e.g. redirects to a page that asks for the password or the passkey again. Default: an error with status 401.
   */
  onStale?: (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => void
}

const NAMES: Record<keyof RequireFreshLoginOptions, 0> = { within: 0, level: 0, onStale: 0 }

/**
 * Lets a request pass only if its user logged in recently. Use it where users change their password, pay, or end other
 * sessions (OWASP ASVS 5.0, 7.5.1 and 7.5.3). `rotateOnLogin` and `rotateSession` record the time of the login.
 *
 * If the login is too old, has too low a level or is missing, the request fails with status 401 and the code
 * ERR_SESSION_LOGIN_NOT_FRESH, unless there is an `onStale`.
 *
 * @throws TypeError for unknown or malformed options
 */
export function requireFreshLogin(options: RequireFreshLoginOptions): Middleware {
  checkNames('requireFreshLogin', options, NAMES, 'requireFreshLogin({ within: 300 })')
  const { level, onStale, within = level === undefined ? undefined : Number.MAX_VALUE } = options
  if (typeof within !== 'number' || !(within > 0)) throw new TypeError('"within" option must be seconds above 0')
  if (level !== undefined && !(Number.isInteger(level) && level >= 1 && level <= 9)) {
    throw new TypeError('"level" option must be a whole number from 1 to 9')
  }
  if (onStale !== undefined && typeof onStale !== 'function') throw new TypeError('"onStale" option must be a function')

  return function requireFreshLogin(request, res, next) {
    const req = request as SessionRequest
    if (hasSession(req) && isFresh(storeOf(req, 'requireFreshLogin()'), req.session, within * 1000, level))
      return next()
    if (onStale !== undefined) return onStale(request, res, next)
    next(new SessionStoreError('ERR_SESSION_LOGIN_NOT_FRESH', 'this needs a fresh login'))
  }
}

function isFresh(store: StoreAccess, session: object, withinMs: number, level: number | undefined): boolean {
  const needed = neededLevel(store, level)
  const loginAge = loginAgeMs(store, session)
  if (!Number.isFinite(loginAge) || loginAge > withinMs) return false
  if (needed === 1) return true
  const proven = sessionLevel(store, session)
  return proven.level >= needed && proven.ageMs <= withinMs
}
