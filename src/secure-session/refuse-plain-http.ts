import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { HttpError } from '../http-error.js'
import { beforeResponse } from '../middleware/before-response.js'
import { abandonSession, type SessionRequest } from '../middleware/session-request.js'
import type { StoreAccess } from '../requests/store-access.js'

/**
 * Refuses requests over plain HTTP that need the session cookie. express-session silently omits a Secure cookie there:
 * the login succeeds, but the next request has no session. Behind a TLS proxy that Express does not trust, this happens
 * to every request. Here such a request fails, and nothing is saved. Requests without a session to save pass.
 */
export function refusePlainHttp(
  req: SessionRequest,
  res: ServerResponse,
  next: (err?: unknown) => void,
  store: StoreAccess,
): void {
  if (isEncrypted(req)) return
  let isReported = false
  store.hooks.guard(req, () => {
    if (!isUnsendable(req, store)) return undefined
    isReported = true
    return Promise.reject(unsendable())
  })
  beforeResponse(req, res, next, 'refuse', () => {
    const { session } = req
    if (!session || !isUnsendable(req, store) || !store.state.isChanged(session)) return undefined
    // A handler that got this error from its own `save` is showing an error page now; all others would report a
    // success.
    if (!isReported || res.statusCode < 400) return Promise.reject(unsendable())
    abandonSession(req)
    return undefined
  })
}

/** Whether the response needs a cookie that cannot be sent. The client of a loaded session already has its cookie. */
function isUnsendable({ session }: SessionRequest, store: StoreAccess): boolean {
  return session?.cookie.secure === true && !store.state.isLoaded(session)
}

/** Decides like express-session. */
export function isEncrypted(req: IncomingMessage & { secure?: boolean }): boolean {
  return (req.socket as TLSSocket).encrypted || req.secure === true
}

function unsendable(): Error {
  return new HttpError(500, UNSENDABLE)
}

const UNSENDABLE =
  'this request came over plain HTTP, where the session cookie cannot be sent, so its session is not saved. Behind a ' +
  "TLS proxy, tell Express so: app.set('trust proxy', 1). For local development without TLS: " +
  'secureSession({ cookie: { secure: false } })'
