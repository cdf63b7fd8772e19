import type { Session } from 'express-session'
import { attachment } from './attachment.js'
import { touchMethod } from './live-session.js'

/**
 * What has become of a session that express-session has made for a request.
 *
 * | state | |
 * |---|---|
 * | `made` | at the beginning of the request |
 * | `remade` | by `regenerate`, where there was nothing to end; or its save was refused |
 * | `heir` | by `regenerate`, in place of a session that has ended for it |
 * | `sent` | Redis may hold it: a save has not been left out |
 */
type State = 'made' | 'remade' | 'heir' | 'sent'

/**
 * Knows which new sessions are not worth storing: those that nobody has put anything in, whoever saves them. Passport's logout saves a
 * session and regenerates it, also where its visitor is nobody, so that anybody could fill Redis with logouts.
 *
 * Two kinds are stored all the same. One takes the place of a session that has ended for it, so that there are no more of them than
 * before. The other is asked for by `saveUninitialized: true`. A store is not told of that option, but sees it: at the end of a
 * response, express-session touches a session and then saves it, and without the option it saves none that nobody has changed.
 */
export class NewSessions {
  readonly #states = attachment<State>()
  readonly #touched = attachment<true>()
  /** Whether `session()` is known to have `saveUninitialized`. */
  #areKept = false

  /** Another `session()` uses the store. */
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
   * It was made by `regenerate`.
   *
   * @param hasEnded whether a session has ended for it in Redis
   */
  takesPlace(session: object, before: object | undefined, hasEnded: boolean): void {
    const isHeir = hasEnded || (before !== undefined && this.#states.get(before) === 'heir')
    this.#states.set(session, isHeir ? 'heir' : 'remade')
  }

  /** Whether this very request has made the session, and nothing of it has been sent to Redis. */
  isUnsent(session: object): boolean {
    const state = this.#states.get(session)
    return state !== undefined && state !== 'sent'
  }

  /** Saves a session, unless there is nothing to be stored. */
  save(session: object, write: () => Promise<void>): Promise<void> {
    const before = this.#states.get(session)
    if (this.#isUnused(session)) return Promise.resolve()
    const saving = write()
    if (before === undefined || before === 'sent') return saving
    return saving.catch((err: unknown) => {
      // express-session saves it again at the end, whatever it is told about `saveUninitialized`.
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

  /** Express leads from a request to its response: what is saved after its end, an application has saved. */
  #isSavedAtEnd(session: object): boolean {
    const { req } = session as { req?: { res?: { writableEnded: boolean } } }
    return this.#touched.has(session) && req?.res?.writableEnded !== true
  }
}

/** What Redis has to do with a failure may have reached it; what a session must not hold has not. */
function mayBeWritten(err: unknown): boolean {
  return (err as { status?: unknown } | undefined)?.status === 503
}

function isEmpty(session: object): boolean {
  return Object.entries(session).every(([name, value]) => name === 'cookie' || value === undefined)
}
