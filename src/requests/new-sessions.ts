import type { Session } from 'express-session'
import { started } from '../redis/deadline.js'
import { attachment } from './attachment.js'
import { touchMethod } from './live-session.js'

/**
 * The state of a session that express-session has created for a request.
 *
 * | state | |
 * |---|---|
 * | `made` | created at the beginning of the request |
 * | `remade` | created by `regenerate` when there was no session to end, or its save was refused |
 * | `heir` | created by `regenerate` in place of a session that was ended for it |
 * | `sent` | Redis may hold it: a save was not skipped |
 */
type State = 'made' | 'remade' | 'heir' | 'sent'

/**
 * Decides which new sessions are not worth storing: those without content, regardless of the caller that saves them.
 * Passport's logout saves a session and regenerates it even if its visitor is not logged in, so that anyone could
 * fill Redis with logouts.
 *
 * Two kinds of empty sessions are stored nevertheless. One replaces a session that was ended for it, so the number
 * of sessions does not grow. The other is requested by `saveUninitialized: true`. A store is not told about that
 * option, but can detect it: at the end of a response, express-session touches a session and then saves it, and
 * without the option it saves no unchanged session.
 */
export class NewSessions {
  readonly #states = attachment<State>()
  readonly #touched = attachment<true>()
  /** Whether `session()` is known to have `saveUninitialized`. */
  #areKept = false

  /** Called when another `session()` starts to use the store. */
  forget(): void {
    this.#areKept = false
  }

  add(session: object): void {
    this.#states.set(session, 'made')
    const touched = this.#touched
    const { touch } = session as Session
    const noteAndTouch = function (this: Session): Session {
      touched.set(this, true)
      return touch.call(this)
    }
    Object.defineProperty(session, 'touch', touchMethod(noteAndTouch))
  }

  /**
   * Records a session that `regenerate` made.
   *
   * @param hasEnded whether a session in Redis was ended for it
   */
  takesPlace(session: object, before: object | undefined, hasEnded: boolean): void {
    const isHeir = hasEnded || (before !== undefined && this.#states.get(before) === 'heir')
    this.#states.set(session, isHeir ? 'heir' : 'remade')
  }

  /** Whether this request has created the session and sent nothing of it to Redis. */
  isUnsent(session: object): boolean {
    const state = this.#states.get(session)
    return state !== undefined && state !== 'sent'
  }

  /** Saves a session unless there is nothing to store. */
  save(session: object, write: () => Promise<void>): Promise<void> {
    const before = this.#states.get(session)
    if (this.#isUnused(session)) return Promise.resolve()
    if (before === undefined || before === 'sent') return write()
    const saving = started(write)
    return saving.catch((err: unknown) => {
      // express-session saves it again at the end of the response, whatever `saveUninitialized` says.
      if (!mayBeWritten(err)) this.#states.set(session, before === 'made' ? 'remade' : before)
      throw err
    })
  }

  #isUnused(session: object): boolean {
    const state = this.#states.get(session)
    if (state === undefined || state === 'sent') return false
    if (state === 'made' && this.#isSavedAtEnd(session) && isEmpty(session)) this.#areKept = true
    const isUnused = state !== 'heir' && !this.#areKept && isEmpty(session)
    if (!isUnused) this.#states.set(session, 'sent')
    return isUnused
  }

  /** The response is reachable through Express's `req.res`. A save after its end comes from the application. */
  #isSavedAtEnd(session: object): boolean {
    const { req } = session as { req?: { res?: { writableEnded: boolean } } }
    return this.#touched.has(session) && req?.res?.writableEnded !== true
  }
}

/**
 * A write that failed because of Redis (503) may have reached it. A write that was rejected for its content has not.
 */
function mayBeWritten(err: unknown): boolean {
  return (err as { status?: unknown } | undefined)?.status === 503
}

function isEmpty(session: object): boolean {
  return Object.entries(session).every(([name, value]) => name === 'cookie' || value === undefined)
}
