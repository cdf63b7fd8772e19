import { type Request, type RequestHandler, type Response, Router } from 'express'
import type { EventLog } from '../event-log.js'
import type { Outage } from '../outage.js'
import { visitOwnShop } from '../own-visit.js'
import { showPage } from '../pages.js'

const PATH = '/outage'

/** What is tried during an outage. `isAsVisitor`: with the visitor's cookies. */
const TRIALS = [
  { path: '/css/base.css', what: 'Style sheets and pictures', isAsVisitor: false },
  { path: '/', what: 'The shop, for somebody without a session', isAsVisitor: false },
  { path: '/whoami', what: 'Any page, for you', isAsVisitor: true },
  { path: '/csrf', what: 'Beginning a session', isAsVisitor: false },
]

/** The page during an outage. Mount it before the session, which it does without. */
export function duringOutage(outage: Outage, log: EventLog): RequestHandler {
  return Router().get(PATH, async (req, res, next) => {
    if (!outage.isRunning) return next()
    const trials = await tryAll(req, res)
    const seconds = Math.ceil(outage.leftMs / 1000)
    const entries = log.since().filter(({ at }) => at >= outage.begun)
    res.set('Cache-Control', 'no-store')
    showPage(res, 'outage-now', { title: 'Redis is away', refresh: 1, seconds, of: outage.seconds, trials, entries })
  })
}

/** The page with the button. */
export function outageRoutes(outage: Outage): Router {
  const router = Router()
  router.get(PATH, (_req, res) => {
    const { isOffered, lastDownMs, seconds } = outage
    showPage(res, 'outage', { title: 'Stop Redis', isOffered, lastDownMs, seconds })
  })
  router.post(PATH, (_req, res, next) => {
    if (!outage.isOffered) return next()
    // Only then: this very request still has to save its session.
    res.once('finish', () => {
      outage.begin().catch((error) => console.error(`Redis was not stopped: ${error.message}`))
    })
    res.redirect(303, PATH)
  })
  return router
}

function tryAll(req: Request, res: Response) {
  const trials = TRIALS.filter(({ isAsVisitor }) => !isAsVisitor || res.locals.hasCookie)
  return Promise.all(
    trials.map(async ({ path, what, isAsVisitor }) => {
      const visit = visitOwnShop(req, path, isAsVisitor ? (req.headers.cookie ?? '') : '')
      const { status, ms } = await visit.catch(() => ({ status: 0, ms: 0 }))
      return { what, path, status, ms: Math.round(ms) }
    }),
  )
}
