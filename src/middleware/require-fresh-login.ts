import type { IncomingMessage, ServerResponse } from 'node:http'
import { SessionStoreError } from '../errors.js'
import { checkNames } from '../known-options.js'
import { loginAgeMs } from './login-time.js'
import { hasSession, type Middleware, type SessionRequest, storeOf } from './session-request.js'

export interface RequireFreshLoginOptions {
  /** How old the login may be, in seconds. */
  within: number
  /**
   * Handles a request whose login is older, e.g. redirects to a page that asks for the password again. Default: an
   * error with status 401.
   */
  onStale?: (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => void
}

const NAMES: Record<keyof RequireFreshLoginOptions, 0> = { within: 0, onStale: 0 }

/**
 * Lets a request pass only if its user logged in recently. Use it where users change their password, pay, or end other
 * sessions (OWASP ASVS 5.0, 7.5.1 and 7.5.3). `rotateOnLogin` and `rotateSession` record the time of the login.
 *
 * A request whose login is older, or that has no login, gets an error with status 401 and the code
 * ERR_SESSION_LOGIN_NOT_FRESH. `onStale` replaces this.
 *
 * @throws TypeError for unknown or malformed options
 */
export function requireFreshLogin(options: RequireFreshLoginOptions): Middleware {
  checkNames('requireFreshLogin', options, NAMES, 'requireFreshLogin({ within: 300 })')
  const { within, onStale } = options
  if (typeof within !== 'number' || !(within > 0)) throw new TypeError('"within" option must be seconds above 0')
  if (onStale !== undefined && typeof onStale !== 'function') throw new TypeError('"onStale" option must be a function')

  return function requireFreshLogin(request, res, next) {
    const req = request as SessionRequest
    if (hasSession(req) && loginAgeMs(storeOf(req, 'requireFreshLogin()'), req.session) <= within * 1000) return next()
    if (onStale !== undefined) return onStale(request, res, next)
    next(new SessionStoreError('ERR_SESSION_LOGIN_NOT_FRESH', 'this needs a fresh login'))
  }
}
