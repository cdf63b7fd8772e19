import { HttpError } from '../http-error.js'
import type { Middleware, SessionRequest } from '../middleware/session-request.js'
import { pathOf } from '../pages/paths.js'
import { sendJson, wantsJson } from '../pages/responses.js'
import { checkedSessionRouter, type SessionRouterOptions } from './options.js'
import { routesOf } from './routes.js'

/**
 * A page on which users see where they are logged in, and end their own sessions (OWASP ASVS 5.0, 7.5.2). Mount it at a
 * path of its own, after `session()` and `rotateOnLogin()`: `app.use('/account/sessions', sessionRouter({ store }))`.
 *
 * `GET /` lists the sessions as HTML or JSON. `POST /end` ends the session whose `handle` is in the body.
 * `POST /end-others` ends all sessions of the user except the one of the request. Both need a fresh login, and must
 * come from a page of the same origin. Redis commands: those of `findBy`, `countBy`, `info` and `destroyBy`.
 *
 * @throws TypeError for unknown or malformed options
 */
export function sessionRouter(options: SessionRouterOptions): Middleware {
  const routes = routesOf(checkedSessionRouter(options))

  return function sessionRouter(request, res, next) {
    const req = request as SessionRequest
    const route = routes.get(`${req.method === 'HEAD' ? 'GET' : req.method} ${pathOf(req.url)}`)
    if (route === undefined) return next()
    const answered = async () => route(req, res)
    answered().catch((err: unknown) => {
      // The application's error handler answers everything else, with its own page or in its log. A response that has begun
      // is the application's as well: a time limit may have answered meanwhile.
      if (res.headersSent || !isForVisitor(err) || !wantsJson(req)) return next(err)
      sendJson(res, err.status, { error: err.message, code: err.code })
    })
  }
}

/** Whether the visitor may read the error: a refusal of the router, or a login that is not fresh, which alone has a code. */
function isForVisitor(err: unknown): err is HttpError & { code?: string } {
  return err instanceof HttpError && err.expose
}
