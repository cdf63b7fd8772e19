import type { Request } from 'express'
import { hasSession } from './sessions.js'

/** Whether a request has a cookie of this name. What is in it may be anything. */
export function hasCookie(req: Request, name: string): boolean {
  return (req.headers.cookie ?? '').split(';').some((pair) => pair.trimStart().startsWith(`${name}=`))
}

/**
 * Whether the visitor came with the cookie of a session that no longer exists: it was logged out elsewhere, or its time is
 * over. For what they get to read, not for what they may do: anybody can send a cookie.
 */
export function isSessionOver(req: Request): boolean {
  return req.session !== undefined && !hasSession(req) && req.res?.locals.hasCookie === true
}
