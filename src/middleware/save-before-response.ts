import { beforeResponse } from './before-response.js'
import { forbidCaching } from './forbid-caching.js'
import { passWithoutSession } from './pass-without-session.js'
import { hasSession, type Middleware, type SessionRequest, saveSession, storeOf } from './session-request.js'

/**
 * Holds a response until Redis has acknowledged the session's changes: no header and no byte leaves before that. So the
 * visitor's next request finds the session saved (`req.session.x = 1; res.redirect('/')` is safe, see
 * expressjs/session#360), and a save that fails becomes an error response instead of a success. Mount it after
 * `session()`.
 *
 * It does not hold responses of requests that have changed nothing, so they keep streaming. When a save fails, the
 * error handler gets a `SessionStoreError`, and `req.session` is undefined there.
 */
export function saveBeforeResponse(): Middleware {
  const pass = passWithoutSession('saveBeforeResponse()')

  return function saveBeforeResponse(request, res, next) {
    const req = request as SessionRequest
    if (!hasSession(req)) return pass(request, res, next)
    const store = storeOf(req, 'saveBeforeResponse()')
    forbidCaching(req, res)
    beforeResponse(req, res, next, 'save', () => {
      const { session } = req
      if (session === undefined || session === null || !store.state.isChanged(session)) return undefined
      return saveSession(session)
    })
    next()
  }
}
