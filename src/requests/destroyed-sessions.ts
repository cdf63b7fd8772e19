import { isCallback } from '../callback.js'
import { attachment } from './attachment.js'
import type { SessionRequest } from './store-access.js'

type LiveSession = NonNullable<SessionRequest['session']>

/** The end that a request has given to its session. */
export interface Destruction {
  session: LiveSession
  /** Resolves when the outcome is known; never rejects. */
  done: Promise<void>
  isOver: boolean
  /** The error of a session that could not be ended. */
  failure: unknown
  /** Whether the application has passed a callback, which tells it of a failure. */
  isHeard: boolean
}

const destructions = attachment<Destruction>()

/** Returns the session that this request has ended last, with `req.session.destroy()` or by a middleware. */
export function destructionIn(req: object): Destruction | undefined {
  return destructions.get(req)
}

/** Notes that a request has ended its session. */
export function noteDestroyed(req: object, session: LiveSession): void {
  destructions.set(req, { session, done: Promise.resolve(), isOver: true, failure: undefined, isHeard: true })
}

/**
 * Notes that a request is ending its session. A middleware can then wait for the outcome, and expire the cookie of a
 * session that has ended.
 *
 * @param callback what the application has passed, which may be anything
 * @param unheard is told of a failure that no callback is told of
 * @returns the callback for express-session's own method
 */
export function noteDestruction(
  session: LiveSession & { req: object },
  callback: ((err?: unknown) => void) | undefined,
  unheard: () => void,
): (err?: unknown) => void {
  const isHeard = isCallback(callback)
  const destruction: Destruction = { session, done: Promise.resolve(), isOver: false, failure: undefined, isHeard }
  let settle = () => {}
  destruction.done = new Promise((resolve) => {
    settle = resolve
  })
  destructions.set(session.req, destruction)
  return (err) => {
    destruction.isOver = true
    destruction.failure = err
    settle()
    if (isHeard) callback(err)
    else if (err) unheard()
  }
}
