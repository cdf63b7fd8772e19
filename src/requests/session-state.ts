import type { AnySession } from '../hash/session-data.js'
import { handleOf } from '../ids/handle.js'
import type { Within } from '../redis/deadline.js'
import type { Context } from '../session/context.js'
import { isLive } from '../session/inspect.js'
import type { Sessions } from './sessions.js'
import type { StateAccess } from './store-access.js'

/** What middleware may know about the session of a request. */
export class SessionState implements StateAccess {
  readonly #context: Context
  readonly #sessions: Sessions
  readonly #within: Within
  readonly #continued = new WeakSet<object>()

  constructor(context: Context, sessions: Sessions, within: Within) {
    this.#context = context
    this.#sessions = sessions
    this.#within = within
  }

  isChanged(session: object): boolean {
    return this.#sessions.isChanged(session as AnySession)
  }

  isCookieChanged(session: object): boolean {
    return this.#sessions.isCookieChanged(session as AnySession)
  }

  isLoaded(session: object): boolean {
    return this.#sessions.recordOf(session)?.isLoaded ?? false
  }

  isContinued(session: object): boolean {
    return this.#continued.has(session)
  }

  /** Marks a session that continues another one under a new id. */
  continues(session: object): void {
    this.#continued.add(session)
  }

  isStored(session: object): boolean {
    return this.#sessions.recordOf(session) !== undefined
  }

  hasSaved(session: object): boolean {
    return this.#sessions.recordOf(session)?.hasSaved ?? false
  }

  hasEnded(session: object): boolean {
    return this.#sessions.recordOf(session)?.hasEnded ?? false
  }

  async isLive(session: object): Promise<boolean> {
    const record = this.#sessions.recordOf(session)
    return record !== undefined && this.#within(isLive(this.#context, record))
  }

  handleOf(session: object): string {
    return handleOf(this.#sessions.recordOf(session)?.storedId ?? '')
  }
}
