import type { ServerResponse } from 'node:http'
import type { AnyContent } from '../hash/session-content.js'
import { addHeader, beforeResponse } from '../middleware/before-response.js'
import type { SessionRequest } from '../middleware/session-request.js'
import { type Principal, userOf } from '../requests/principal.js'

/**
 * Keeps responses to users out of every cache, unless their handler says something about caching. Otherwise the back
 * button would show a user's pages after their logout, from the cache of the browser (OWASP ASVS 5.0, 14.3.2).
 */
export function keepPrivate(
  req: SessionRequest,
  res: ServerResponse,
  next: (err?: unknown) => void,
  whose: Principal,
): void {
  beforeResponse(req, res, next, 'cache', () => {
    const { session } = req
    if (session && !res.hasHeader('Cache-Control') && isOfUser(whose, session)) {
      addHeader(res, 'Cache-Control', 'no-store')
    }
    return undefined
  })
}

function isOfUser(whose: Principal, session: object): boolean {
  try {
    return userOf(whose, session as AnyContent) !== undefined
  } catch {
    // Another middleware has reported it, and this response is the error page.
    return true
  }
}
