import type { ServerResponse } from 'node:http'
import { HttpError } from '../http-error.js'
import { endSession } from '../middleware/end-session.js'
import { hasSession, type Middleware, type SessionRequest } from '../middleware/session-request.js'
import { redirect, sendJson, sendStyle, wantsJson } from '../pages/responses.js'
import { isSameOrigin } from '../pages/same-origin.js'
import { devicePageOf, listAfter } from './device-page.js'
import { type LoggedInRequest, loggedInRequest } from './logged-in-request.js'
import type { RequestOfUser, ResolvedSessionRouter } from './options.js'
import { ownSessions } from './own-sessions.js'
import { readHandle } from './read-handle.js'
import { sendRendered } from './send-rendered.js'
import { STYLE } from './style.js'

export type Route = (req: SessionRequest, res: ServerResponse) => Promise<void> | void

/** The routes, by method and path below the router's own path. */
export function routesOf(router: ResolvedSessionRouter): ReadonlyMap<string, Route> {
  const { store, freshLogin } = router

  const list: Route = async (req, res) => {
    const request = loggedInRequest(router, req, res)
    const { sessions, more } = await ownSessions(store, request.user, request.sid)
    if (wantsJson(req)) return sendJson(res, 200, more === 0 ? { sessions } : { sessions, more })
    const lang = router.lang(req as RequestOfUser)
    const page = devicePageOf({ sessions, more }, req, { lang, texts: await router.texts(lang), back: router.back })
    await sendRendered(router, page, req as RequestOfUser, res)
  }

  async function endOne({ req, res, user, sid }: LoggedInRequest): Promise<number> {
    const handle = await readHandle(req)
    const own = await store.info(sid)
    const ended = await store.destroyBy('user', user, { handle })
    if (ended === 0) throw new HttpError(404, 'there is no such session')
    // The user has logged out here.
    if (handle === own?.handle) await endSession(req, res)
    return ended
  }

  const endingRoute =
    (end: (request: LoggedInRequest) => Promise<number>): Route =>
    async (req, res) => {
      if (!isSameOrigin(req)) throw new HttpError(403, NOT_SAME_ORIGIN)
      const request = loggedInRequest(router, req, res)
      await untilPassed(freshLogin, request)
      const ended = await end(request)
      if (wantsJson(req)) return sendJson(res, 200, { ended })
      redirect(res, listAfter(ended, { isLoggedIn: hasSession(req) }))
    }

  return new Map<string, Route>([
    ['GET /', list],
    ['GET /style.css', (_req, res) => sendStyle(res, STYLE)],
    ['POST /end', endingRoute(endOne)],
    ['POST /end-others', endingRoute(({ user: whose, sid }) => store.destroyBy('user', whose, { except: sid }))],
  ])
}

const NOT_SAME_ORIGIN = 'this does not come from a page of this site (Sec-Fetch-Site or Origin)'

/** Resolves when the middleware lets the request pass; never, if the middleware answers it. */
function untilPassed(middleware: Middleware, { req, res }: LoggedInRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const answer: unknown = middleware(req, res, (err) => (err ? reject(err) : resolve()))
    // `onStale` may be asynchronous.
    Promise.resolve(answer).catch(reject)
  })
}
