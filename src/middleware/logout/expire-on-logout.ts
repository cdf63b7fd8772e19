import type { ServerResponse } from 'node:http'
import { type Destruction, destructionIn } from '../../requests/destroyed-sessions.js'
import { addHeader, beforeResponse } from '../before-response.js'
import type { SessionRequest } from '../session-request.js'
import { beginExpiry, expiredCookie, isExpiring, noteCookieName } from './expired-cookie.js'

/**
 * Expires the session cookie when a request has ended its session and goes on without another one. The response waits
 * until Redis has confirmed the end: a logout that has failed is an error, unless the application has been told of it.
 *
 * Only the request that has ended the session does this. In a later one, which finds that its session is gone, the
 * browser may have the cookie of a new login already.
 *
 * @param name of the session cookie
 */
export function expireOnLogout(
  req: SessionRequest,
  res: ServerResponse,
  next: (err?: unknown) => void,
  name: string,
): void {
  noteCookieName(req, name)
  const expire = ({ session }: Destruction) => {
    beginExpiry(req, res)
    addHeader(res, 'Set-Cookie', expiredCookie(name, session.cookie))
  }
  beforeResponse(req, res, next, 'logout', () => {
    const destroyed = destructionIn(req)
    if (destroyed === undefined || req.session || isExpiring(res)) return undefined
    if (!destroyed.isOver) return destroyed.done.then(() => settle(destroyed, expire, true))
    return settle(destroyed, expire, !destroyed.isHeard)
  })
}

/** @param isToFail whether the response must not leave if the session could not be ended */
function settle(
  destroyed: Destruction,
  expire: (ended: Destruction) => void,
  isToFail: boolean,
): Promise<void> | undefined {
  if (!destroyed.failure) expire(destroyed)
  else if (isToFail) return Promise.reject(destroyed.failure as Error)
  return undefined
}
