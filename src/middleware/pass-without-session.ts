import type { Middleware, SessionRequest } from './session-request.js'
import { isStandIn } from './stand-in.js'

/**
 * Handles requests without a session. They pass, because express-session skips requests outside its cookie's path, and
 * all requests while the store is unavailable. But if such a request has a `session()` behind this middleware, the
 * middleware is mounted too early: it does nothing, and nobody would notice. From the end of that response on, every
 * such request fails.
 *
 * @param name of the middleware, for the message
 */
export function passWithoutSession(name: string): Middleware {
  let isTooEarly = false
  return function passWithoutSession(req, res, next) {
    if (isTooEarly) throw new Error(`${name} stands before session(), where it does nothing: it has to come after it`)
    if (!hasMetSession(req) && !isStandIn(res)) {
      res.once('finish', () => {
        isTooEarly ||= hasMetSession(req) && Boolean((req as SessionRequest).session)
      })
    }
    next()
  }
}

/** An application may set its own `req.session` when there is none. Only express-session also sets its store. */
function hasMetSession(req: object): boolean {
  return (req as SessionRequest).sessionStore !== undefined
}
