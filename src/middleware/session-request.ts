import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Session, SessionData } from 'express-session'
import { STORE_ACCESS, type StoreAccess } from '../requests/store-access.js'

/** A middleware for Express 4 and 5, Connect, and every framework that calls middleware in the same way. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => void

/** A request that express-session has processed. */
export interface SessionRequest extends IncomingMessage {
  session?: Session & Partial<SessionData> & Record<string, unknown>
  sessionID?: string
  sessionStore?: unknown
}

/** A request with a session of express-session. */
export type WithSession<R extends SessionRequest> = R & { session: NonNullable<SessionRequest['session']> }

/**
 * Whether the request has a session of express-session. There is none while the store is unavailable
 * (`onUnavailable: 'anonymous'`). The application may then put a plain object in its place, which is no mistake.
 */
export function hasSession<R extends SessionRequest>(req: R): req is WithSession<R> {
  const { session, sessionStore } = req
  if (session === undefined || session === null) return false
  return sessionStore !== undefined || !isPlain(session)
}

/** Whether this is a plain object. Sessions of other libraries have a class. */
function isPlain(session: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(session)
  return prototype === Object.prototype || prototype === null
}

/**
 * Returns the part of this request's store that is meant for middleware.
 *
 * @throws Error that says what to change in the application
 */
export function storeOf(req: SessionRequest, middleware: string): StoreAccess {
  if (req.sessionStore === undefined) {
    throw new Error(`${middleware} needs a session: app.use(session({ store, ... })) has to come before it`)
  }
  const access = storeAccessOf(req)
  if (access === undefined) throw new Error(`${middleware} needs the RedisStore of connect-redis-hash as session store`)
  return access
}

/** Undefined if the request has no store, or the store of another library. */
export function storeAccessOf(req: SessionRequest): StoreAccess | undefined {
  return (req.sessionStore as { [STORE_ACCESS]?: StoreAccess } | undefined)?.[STORE_ACCESS]
}

/**
 * Removes the session from the request, so that express-session saves nothing and sends no cookie. It does the same
 * itself while its store is unavailable. Without an id, even `unset: 'destroy'` has no effect.
 */
export function abandonSession(req: SessionRequest): void {
  delete req.session
  delete req.sessionID
}

/**
 * Calls the next middleware, synchronously if there is nothing to wait for. If the work fails, passes the error on and
 * removes the session.
 */
export function goOnAfter(
  pending: Promise<void> | undefined,
  req: SessionRequest,
  next: (err?: unknown) => void,
): void {
  if (pending === undefined) {
    next()
    return
  }
  pending.then(
    () => next(),
    (err: unknown) => {
      abandonSession(req)
      next(err)
    },
  )
}

export function saveSession(session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.save((err) => (err ? reject(err) : resolve()))
  })
}
