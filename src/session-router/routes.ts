import type { ServerResponse } from 'node:http'
import { abandonSession, type Middleware, type SessionRequest } from '../middleware/session-request.js'
import { type Visit, visitOf } from './logged-in-request.js'
import type { ResolvedSessionRouter } from './options.js'
import { ownSessions } from './own-sessions.js'
import { pageOf } from './page.js'
import { baseOf } from './paths.js'
import { handleInBody } from './read-handle.js'
import { Refusal } from './refusal.js'
import { redirect, sendJson, sendPage, sendStyle, wantsJson } from './responses.js'
import { isFromOwnPage } from './same-origin.js'
import { STYLE } from './style.js'

export type Route = (req: SessionRequest, res: ServerResponse) => Promise<void> | void

/** Each under its method and its path below the router's own. */
export function routesOf(router: ResolvedSessionRouter): ReadonlyMap<string, Route> {
  const { store, freshLogin, back } = router

  const list: Route = async (req, res) => {
    const visit = visitOf(router, req, res)
    const { sessions, more } = await ownSessions(store, visit.user, visit.sid)
    if (wantsJson(req)) return sendJson(res, 200, more === 0 ? { sessions } : { sessions, more })
    sendPage(res, pageOf({ sessions, more, base: baseOf(req), back, now: new Date() }))
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
      const visit = visitOf(router, req, res)
      await passed(freshLogin, visit)
      const ended = await end(visit)
      if (wantsJson(req)) return sendJson(res, 200, { ended })
      redirect(res, './')
    }

  return new Map<string, Route>([
    ['GET /', list],
    ['GET /style.css', (_req, res) => sendStyle(res, STYLE)],
    ['POST /end', ending(endOne)],
    ['POST /end-others', ending(({ user: whose, sid }) => store.destroyBy('user', whose, { except: sid }))],
  ])
}

const NOT_FROM_OWN_PAGE = 'this does not come from a page of this site (Sec-Fetch-Site or Origin)'

/** Resolves once the middleware lets the request pass, and never if it answers it. */
function passed(middleware: Middleware, { req, res }: Visit): Promise<void> {
  return new Promise((resolve, reject) => {
    const answer: unknown = middleware(req, res, (err) => (err ? reject(err) : resolve()))
    // Of an `onStale` that is asynchronous.
    Promise.resolve(answer).catch(reject)
  })
}
