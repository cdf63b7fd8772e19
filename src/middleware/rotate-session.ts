import type { ServerResponse } from 'node:http'
import type { SessionData } from 'express-session'
import { SessionStoreError } from '../errors.js'
import type { PropertyName } from '../hash/session-content.js'
import { keepOutOfCaches } from './forbid-caching.js'
import { keepOption } from './keep-option.js'
import { isSuperseded, LOGIN_FIELD, recordLogin } from './login-time.js'
import { abandonSession, type SessionRequest, saveSession, storeOf } from './session-request.js'

export interface RotateSessionOptions<Data extends object = SessionData> {
  /** Which properties the session keeps under its new id: `'all'` (default), `'none'`, or their names. */
  keep?: 'all' | 'none' | readonly PropertyName<Data>[]
  /** For the `rotated` event. Default `'demand'`. */
  reason?: string
  /**
   * Whether the user has just proved who he is, which is what `requireFreshLogin` asks for. Default true. WARNING: leave
   * it at true only where a password or passkey was checked in this request; otherwise a stolen session would pass as
   * freshly logged in.
   */
  login?: boolean
}

/**
 * Gives the session of this request a new id, at once: after a re-authentication or a change of privileges, where the
 * user stays the same. The old session is deleted first, the new one saved; its time of creation, absolute deadline and
 * cookie stay. Use `req.session` afterwards, not a reference taken before.
 *
 * @returns false if the session had ended meanwhile, or, with `login: false`, if the id of the request has been renewed:
 *   the request then goes on without a session, and nothing is saved
 * @throws SessionStoreError ERR_SESSION_HEADERS_SENT if the response has begun, or what Redis made fail
 */
export async function rotateSession<Data extends object = SessionData>(
  request: object,
  { keep = 'all', reason = 'demand', login = true }: RotateSessionOptions<Data> = {},
): Promise<boolean> {
  const req = request as SessionRequest & { res?: ServerResponse }
  const isKept = keepOption(keep)
  const store = storeOf(req, 'rotateSession()')
  const { session } = req
  if (!session) throw new TypeError('rotateSession needs a request with a session')
  if (req.res?.headersSent) throw headersSent()
  // Express leads from a request to its response.
  if (req.res !== undefined) keepOutOfCaches(req, req.res)
  if (!login && isSuperseded(store, session)) {
    // A thief's, perhaps: without a proof of who he is, he gets no new id.
    abandonSession(req)
    return false
  }
  const loggedInAt = store.marked(session, LOGIN_FIELD)
  try {
    if (store.isLoaded(session)) {
      const properties = Object.keys(session).filter((property) => property !== 'cookie' && isKept(property))
      const isDone = await store.rotate(req, { properties, isKept, cookie: session.cookie, reason, mustExist: true })
      if (!isDone) {
        abandonSession(req)
        return false
      }
    }
    const fresh = req.session as typeof session
    if (login) recordLogin(store, fresh)
    else if (loggedInAt !== undefined) store.mark(fresh, LOGIN_FIELD, loggedInAt)
    await saveSession(fresh)
    return true
  } catch (err) {
    abandonSession(req)
    throw err
  }
}

export function headersSent(): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_HEADERS_SENT',
    'the response had begun, too late to send a new session id; nothing was saved',
  )
}
