import { requireFreshLogin } from 'connect-redis-hash'
import type { Request, RequestHandler, Response } from 'express'
import { flash } from './flash.js'
import { localPath, via } from './local-path.js'

/** Short, so that a visitor can watch it; a real shop would choose about ten minutes. */
export const FRESH_SECONDS = 2 * 60

/**
 * Lets a request pass if the user has typed their password recently in this browser; otherwise asks for the password.
 */
export const freshLogin = requireFreshLogin({
  within: FRESH_SECONDS,
  onStale(request, response) {
    const [req, res] = [request as Request, response as Response]
    if (req.method === 'POST') flash(req, 'confirm-first')
    // Each form is posted to the path of the page that shows it.
    res.redirect(303, via('/confirm', localPath(req.path, '/account')))
  },
})

/** Lets every request pass, and tells pages whether `freshLogin` would have. */
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
