import type { IncomingMessage, ServerResponse } from 'node:http'
import { abandonSession, type Middleware, type SessionRequest } from '../middleware/session-request.js'
import type { SessionContent } from '../record/session-data.js'
import { redirect, sendJson, sendPage, sendStyle, wantsJson } from './answers.js'
import { handleInBody } from './handle-in-body.js'
import { checkedSessionRouter, type ResolvedSessionRouter, type SessionRouterOptions } from './options.js'
import { isFromOwnPage } from './own-origin.js'
import { ownSessions } from './own-sessions.js'
import { pageOf } from './page.js'
import { Refusal } from './refusal.js'
import { STYLE } from './style.js'

/** A request of somebody who is logged in. */
interface Visit {
  req: SessionRequest
  res: ServerResponse
  user: string | number
  sid: string
}

type Route = (req: SessionRequest, res: ServerResponse) => Promise<void> | void

/**
 * A page on which users see where they are logged in and end their own sessions (OWASP ASVS 5.0, 7.5.2), to be mounted at
 * a path of its own, after `session()` and `rotateOnLogin()`: `app.use('/account/sessions', sessionRouter({ store }))`.
 *
 * `GET /` is the list, as HTML or JSON; `POST /end` ends the session with the `handle` in the body, `POST /end-others` all
 * but the one that asks. Ending takes a fresh login, and a page of the same origin. Redis commands: those of `findBy`,
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

function routesOf({ store, user, freshLogin, back }: ResolvedSessionRouter): ReadonlyMap<string, Route> {
  const list: Route = async (req, res) => {
    const visit = visitOf(req, res)
    const sessions = await ownSessions(store, visit.user, visit.sid)
    if (wantsJson(req)) return sendJson(res, 200, { sessions })
    sendPage(res, pageOf({ sessions, base: baseOf(req), back, now: new Date() }))
  }

  async function endOne({ req, user, sid }: Visit): Promise<number> {
    const handle = await handleInBody(req)
    const own = await store.info(sid)
    const ended = await store.destroyBy('user', user, { handle })
    if (ended === 0) throw new Refusal(404, 'there is no such session')
    // A logout: what is left of it in this request is not saved, and no cookie is sent.
    if (handle === own?.handle) abandonSession(req)
    return ended
  }

  const ending =
    (end: (visit: Visit) => Promise<number>): Route =>
    async (req, res) => {
      if (!isFromOwnPage(req)) throw new Refusal(403, NOT_FROM_OWN_PAGE)
      const visit = visitOf(req, res)
      await passed(freshLogin, visit)
      const ended = await end(visit)
      if (wantsJson(req)) return sendJson(res, 200, { ended })
      redirect(res, './')
    }

  function visitOf(req: SessionRequest, res: ServerResponse): Visit {
    const { session, sessionID, sessionStore } = req
    if (!session || sessionID === undefined) throw new Refusal(401, NOT_LOGGED_IN)
    if (sessionStore !== store) throw new Error('sessionRouter() needs the store of the session() in front of it')
    const id = user(req as IncomingMessage as IncomingMessage & { session: SessionContent })
    if (id === undefined || id === null || id === '') throw new Refusal(401, NOT_LOGGED_IN)
    if (typeof id !== 'string' && !Number.isFinite(id)) {
      throw new TypeError('"user" option must return the user\'s id at once, a string or a number')
    }
    return { req, res, user: id as string | number, sid: sessionID }
  }

  return new Map<string, Route>([
    ['GET /', list],
    ['GET /style.css', (_req, res) => sendStyle(res, STYLE)],
    ['POST /end', ending(endOne)],
    ['POST /end-others', ending(({ user: whose, sid }) => store.destroyBy('user', whose, { except: sid }))],
  ])
}

const NOT_LOGGED_IN = 'you are not logged in'
const NOT_FROM_OWN_PAGE = 'this does not come from a page of this site (Sec-Fetch-Site or Origin)'

function isStale(err: unknown): err is Error & { status: number; code: string } {
  return (err as { code?: unknown } | null)?.code === 'ERR_SESSION_LOGIN_NOT_FRESH'
}

/** Resolves once the middleware lets the request pass, and never if it answers it. */
function passed(middleware: Middleware, { req, res }: Visit): Promise<void> {
  return new Promise((resolve, reject) => {
    const answer: unknown = middleware(req, res, (err) => (err ? reject(err) : resolve()))
    // Of an `onStale` that is asynchronous.
    Promise.resolve(answer).catch(reject)
  })
}

function pathOf(url = ''): string {
  return url.split('?', 1)[0] || '/'
}

/**
 * Relative, so that it also holds behind a proxy that has taken a part of the path away, and leads to no other site
 * whatever the path looks like. From `/account/sessions` it is `./sessions/`, from `/account/sessions/` it is `./`.
 */
function baseOf(req: SessionRequest & { originalUrl?: string }): string {
  const path = pathOf(req.originalUrl ?? req.url)
  const last = path.slice(path.lastIndexOf('/') + 1)
  return last === '' ? './' : `./${last}/`
}
