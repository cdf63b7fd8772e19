import type { Middleware, SessionRequest } from '../middleware/session-request.js'
import { checkedSessionRouter, type SessionRouterOptions } from './options.js'
import { pathOf } from './paths.js'
import { Refusal } from './refusal.js'
import { sendJson, wantsJson } from './responses.js'
import { routesOf } from './routes.js'

/**
 * A page on which users see where they are logged in and end their own sessions (OWASP ASVS 5.0, 7.5.2), to be mounted at
 * a path of its own, after `session()` and `rotateOnLogin()`: `app.use('/account/sessions', sessionRouter({ store }))`.
 *
 * `GET /` is the list, as HTML or JSON; `POST /end` ends the session with the `handle` in the body, `POST /end-others` all
 * but the one that asks. Ending takes a fresh login, and a page of the same origin. Redis commands: those of `findBy`, `countBy`,
 * `info` and `destroyBy`.
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
      // The application knows how to say the rest: with a page of its own, or in its log.
      if (!(err instanceof Refusal || isStale(err)) || !wantsJson(req)) return next(err)
      sendJson(res, err.status, { error: err.message, code: err.code })
    })
  }
}

function isStale(err: unknown): err is Error & { status: number; code: string } {
  return (err as { code?: unknown } | null)?.code === 'ERR_SESSION_LOGIN_NOT_FRESH'
}
