import type { AnySession } from '../hash/session-data.js'
import type { Within } from '../redis/deadline.js'
import type { Sessions } from './sessions.js'
import type { FieldAccess } from './store-access.js'

/** Bookkeeping fields that middleware stores with the session of a request. */
export class SessionFields implements FieldAccess {
  readonly #sessions: Sessions
  readonly #within: Within

  constructor(sessions: Sessions, within: Within) {
    this.#sessions = sessions
    this.#within = within
  }

  mark(session: object, field: `@${string}`, text: string): void {
    this.#sessions.mark(session, field, text)
  }

  marked(session: object, field: `@${string}`): string | undefined {
    return this.#sessions.marked(session, field)
  }

  saveMarks(session: object): Promise<void> {
    return this.#within(this.#sessions.saveMarks(session as AnySession))
  }
}
