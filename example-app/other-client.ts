import type { Request, RequestHandler } from 'express'
import { flash } from './flash.js'
import { localPath, via } from './local-path.js'

/** Whether the session was opened in another browser than the one its user logged in with. */
export function isOtherBrowser(req: Request): boolean {
  return req.session?.userId !== undefined && req.sessionBinding?.action === 'reauthenticate'
}

/**
 * Explains at the login page that a session has just been ended because it came from another browser and another
 * network.
 */
export const explainEnding: RequestHandler = (req, res, next) => {
  if (req.sessionBinding?.action !== 'destroy' || !req.accepts('html')) return next()
  flash(req, 'ended')
  res.redirect(303, via('/login', req.method === 'GET' ? localPath(req.path, '/') : '/'))
}
