import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Session, SessionData } from 'express-session'
import { STORE_ACCESS, type StoreAccess } from '../requests/store-access.js'

/** Fits Express 4 and 5, Connect, and whatever else calls middleware the same way. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => void

/** A request behind express-session. */
export interface SessionRequest extends IncomingMessage {
  session?: Session & Partial<SessionData> & Record<string, unknown>
  sessionID?: string
  sessionStore?: unknown
}

/** A request that has a session of express-session's. */
export type WithSession<R extends SessionRequest> = R & { session: NonNullable<SessionRequest['session']> }

/**
 * Whether it has one. express-session gives none while the store is away (`onUnavailable: 'anonymous'`), and an application may put a plain
 * object in its place: that is nobody's session, and nothing is wrong with the application.
 */
export function hasSession<R extends SessionRequest>(req: R): req is WithSession<R> {
  const { session, sessionStore } = req
  if (session === undefined || session === null) return false
  return sessionStore !== undefined || !isPlain(session)
}

/** Other libraries' sessions have a class. */
function isPlain(session: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(session)
  return prototype === Object.prototype || prototype === null
}

/**
 * What the store of this request lets middleware do.
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

/** Undefined where there is no store, or another library's. */
export function storeAccessOf(req: SessionRequest): StoreAccess | undefined {
  return (req.sessionStore as { [STORE_ACCESS]?: StoreAccess } | undefined)?.[STORE_ACCESS]
}

/**
 * Leaves the rest of the request without a session, so that nothing is saved and no cookie is sent: what express-session
 * does while its store is away. Without an id, not even `unset: 'destroy'` acts.
 */
export function abandonSession(req: SessionRequest): void {
  delete req.session
  delete req.sessionID
}

/** The next middleware, at once if there is nothing to wait for; if the work fails, the error, and no session. */
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

/** Rejects with the store's error. */
export function saveSession(session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.save((err) => (err ? reject(err) : resolve()))
  })
}
