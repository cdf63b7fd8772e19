import type { Middleware, SessionRequest } from './session-request.js'

/**
 * What a middleware does with a request that has no session: it lets it pass, as express-session leaves out requests
 * outside its cookie's path, and all while the store is away. But if such a request has a session when it has been
 * answered, the middleware stands before `session()`, where it does nothing and nobody would notice; from then on every
 * such request fails.
 *
 * @param name of the middleware, for the message
 */
export function passWithoutSession(name: string): Middleware {
  let isTooEarly = false
  return function passWithoutSession(req, res, next) {
    if (isTooEarly) throw new Error(`${name} stands before session(), where it does nothing: it has to come after it`)
    res.once('finish', () => {
      isTooEarly ||= Boolean((req as SessionRequest).session)
    })
    next()
  }
}
