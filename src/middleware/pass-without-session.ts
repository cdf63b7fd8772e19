import type { Middleware, SessionRequest } from './session-request.js'
import { isStandIn } from './stand-in.js'

/**
 * What a middleware does with a request that has no session: it lets it pass, as express-session leaves out requests
 * outside its cookie's path, and all while the store is away. But if such a request has met a `session()` by the time it
 * has been answered, the middleware stands before that one, where it does nothing and nobody would notice; from then on
 * every such request fails.
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

/** An application may put a `req.session` of its own where there is none; only express-session leaves its store, too. */
function hasMetSession(req: object): boolean {
  return (req as SessionRequest).sessionStore !== undefined
}
