import type { ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { HttpError } from '../http-error.js'
import { beforeResponse } from '../middleware/before-response.js'
import { abandonSession, type SessionRequest } from '../middleware/session-request.js'
import type { StoreAccess } from '../requests/store-access.js'

/**
 * express-session leaves a Secure cookie out of a response over plain HTTP without a word: the login succeeds, and the
 * next request is nobody's. Behind a TLS proxy that Express does not know of, every request is like that. Here it fails,
 * and nothing is saved; a request without a session to be saved passes.
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
    // A handler that passed the error of its own `save` on has come to its error page; the others go on as if saved.
    if (!isReported || res.statusCode < 400) return Promise.reject(unsendable())
    abandonSession(req)
    return undefined
  })
}

/** The client of a loaded session has its cookie already. */
function isUnsendable({ session }: SessionRequest, store: StoreAccess): boolean {
  return session?.cookie.secure === true && !store.state.isLoaded(session)
}

/** As express-session decides it. */
function isEncrypted(req: SessionRequest & { secure?: boolean }): boolean {
  return (req.socket as TLSSocket).encrypted || req.secure === true
}

function unsendable(): Error {
  return new HttpError(500, UNSENDABLE)
}

const UNSENDABLE =
  'this request came over plain HTTP, where the session cookie cannot be sent, so its session is not saved. Behind a ' +
  "TLS proxy, tell Express so: app.set('trust proxy', 1). For local development without TLS: " +
  'secureSession({ cookie: { secure: false } })'
