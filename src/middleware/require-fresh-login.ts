import type { IncomingMessage, ServerResponse } from 'node:http'
import { SessionStoreError } from '../errors.js'
import { checkNames } from '../known-options.js'
import { loginAgeMs } from './login-time.js'
import { hasSession, type Middleware, type SessionRequest, storeOf } from './session-request.js'

export interface RequireFreshLoginOptions {
  /** Seconds a login may be old. */
  within: number
  /** What to do with a request whose login is older, e.g. redirect to a page that asks for the password again. */
  onStale?: (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => void
}

const NAMES: Record<keyof RequireFreshLoginOptions, 0> = { within: 0, onStale: 0 }

/**
 * Lets a request pass only if its user logged in a short while ago: for changing a password, paying, ending other
 * sessions (OWASP ASVS 5.0, 7.5.1 and 7.5.3). The time of login is what `rotateOnLogin` and `rotateSession` record.
 *
 * Others get a 401, as an error with the code ERR_SESSION_LOGIN_NOT_FRESH, or what `onStale` makes of them.
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
