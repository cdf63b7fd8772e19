import { beforeResponse } from './before-response.js'
import { forbidCaching } from './forbid-caching.js'
import { passWithoutSession } from './pass-without-session.js'
import { hasSession, type Middleware, type SessionRequest, saveSession, storeOf } from './session-request.js'

/**
 * Holds a response until Redis has acknowledged the session's changes: no header and no byte leaves before that. The
 * visitor's next request therefore finds the session saved (`req.session.x = 1; res.redirect('/')` is safe, see
 * expressjs/session#360), and a save that fails becomes an error response instead of a success.
 *
 * Responses of requests that changed nothing are not held, so they keep streaming. When a save fails, `req.session` is
 * undefined in the error handler, which gets a `SessionStoreError`.
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
