import { beforeResponse } from './before-response.js'
import { keepOutOfCaches } from './forbid-caching.js'
import { passWithoutSession } from './pass-without-session.js'
import { hasSession, type Middleware, type SessionRequest, saveSession, storeOf } from './session-request.js'

/**
 * Holds a response until Redis has acknowledged the session's changes: no header and no byte leaves before. What the
 * visitor does next finds the session saved (`req.session.x = 1; res.redirect('/')` is safe, expressjs/session#360), and
 * a save that fails becomes an error response instead of a success.
 *
 * Responses of requests that changed nothing are not held, so they stream as ever. When a save fails, `req.session` is
 * undefined in the error handler, which gets a `SessionStoreError`.
 */
export function saveBeforeResponse(): Middleware {
  const pass = passWithoutSession('saveBeforeResponse()')

  return function saveBeforeResponse(request, res, next) {
    const req = request as SessionRequest
    if (!hasSession(req)) return pass(request, res, next)
    const store = storeOf(req, 'saveBeforeResponse()')
    keepOutOfCaches(req, res)
    beforeResponse(req, res, next, 'save', () => {
      const { session } = req
      if (session === undefined || session === null || !store.state.isChanged(session)) return undefined
      return saveSession(session)
    })
    next()
  }
}
