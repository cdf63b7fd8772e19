import { requireFreshLogin } from 'connect-redis-hash'
import type { Request, RequestHandler, Response } from 'express'
import { flash } from './flash.js'
import { localPath, via } from './local-path.js'

/** So short that a visitor can see it happen; a real shop would say ten minutes or so. */
export const FRESH_SECONDS = 2 * 60

/** Lets those pass who have typed their password a short while ago in this browser; asks the others for it. */
export const freshLogin = requireFreshLogin({
  within: FRESH_SECONDS,
  onStale(request, response) {
    const [req, res] = [request as Request, response as Response]
    if (req.method === 'POST') flash(req, 'confirm-first')
    // Each form is sent to the page that shows it.
    res.redirect(303, via('/confirm', localPath(req.path, '/account')))
  },
})

/** Lets everybody pass, and tells pages whether `freshLogin` would have. */
export const noteFreshness: RequestHandler = (req, res, next) => {
  res.locals.isFresh = true
  note(req, res, next)
}

const note = requireFreshLogin({
  within: FRESH_SECONDS,
  onStale(_req, res, next) {
    ;(res as Response).locals.isFresh = false
    next()
  },
})
