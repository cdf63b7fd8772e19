import type { Request, RequestHandler } from 'express'

export const PRETEND_COOKIE = 'pretend'
/** A User-Agent that no browser sends. */
const OTHER_BROWSER = 'Kettle-Browser'

export function isPretending(req: Request): boolean {
  return /(?:^|;\s*)pretend=1(?:;|$)/.test(req.headers.cookie ?? '')
}

/**
 * Simulates another browser: with the cookie `pretend=1`, the rest of the shop sees another User-Agent. This gives
 * nobody an advantage, because everybody can send any User-Agent. Mount it before the session.
 */
export const pretend: RequestHandler = (req, _res, next) => {
  if (isPretending(req)) req.headers['user-agent'] = OTHER_BROWSER
  next()
}
