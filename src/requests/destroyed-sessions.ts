import type { Session } from 'express-session'
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
 * Defines `destroy` for session objects: express-session's own method, whose outcome is noted with the request. A
 * middleware can then wait for it, and expire the cookie of a session that has ended. There is one method per store, and
 * no closure per session.
 *
 * @param unheard is told of a failure that no callback is told of
 */
export function destroyMethod(unheard: () => void): PropertyDescriptor {
  function destroy(this: LiveSession & { req: object }, callback?: (err?: unknown) => void): Session {
    const isHeard = isCallback(callback)
    const destruction: Destruction = {
      session: this,
      done: Promise.resolve(),
      isOver: false,
      failure: undefined,
      isHeard,
    }
    destructions.set(this.req, destruction)
    const { destroy: ofExpress } = Object.getPrototypeOf(this) as Session
    destruction.done = new Promise((resolve) => {
      ofExpress.call(this, (err?: unknown) => {
        destruction.isOver = true
        destruction.failure = err
        resolve()
        if (isHeard) callback(err)
        else if (err) unheard()
      })
    })
    return this
  }
  return { configurable: true, enumerable: false, writable: true, value: destroy }
}
