import type { Request, RequestHandler } from 'express'

export const PRETEND_COOKIE = 'pretend'
/** What no browser sends. */
const OTHER_BROWSER = 'Kettle-Browser'

export function isPretending(req: Request): boolean {
  return /(?:^|;\s*)pretend=1(?:;|$)/.test(req.headers.cookie ?? '')
}

/**
 * For trying it out: with the cookie `pretend=1`, the rest of the shop sees another User-Agent than the browser sent. It
 * gives nobody anything, as everybody can send any User-Agent there is. Comes before the session.
 */
export const pretend: RequestHandler = (req, _res, next) => {
  if (isPretending(req)) req.headers['user-agent'] = OTHER_BROWSER
  next()
}
