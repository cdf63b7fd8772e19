import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'

export const PRETEND_COOKIE = 'pretend'
/** A User-Agent that no browser sends. */
const OTHER_BROWSER = 'Kettle-Browser'

export function isPretending(req: IncomingMessage): boolean {
  return /(?:^|;\s*)pretend=1(?:;|$)/.test(req.headers.cookie ?? '')
}

/** Makes a request look as if it came from the other browser, if its visitor pretends to use it. */
export function applyPretence(req: IncomingMessage): void {
  if (isPretending(req)) req.headers['user-agent'] = OTHER_BROWSER
}

/**
 * Simulates another browser: with the cookie `pretend=1`, the rest of the shop sees another User-Agent. This gives
 * nobody an advantage, because everybody can send any User-Agent. Mount it before the session.
 */
export const pretend: RequestHandler = (req, _res, next) => {
  applyPretence(req)
  next()
}
