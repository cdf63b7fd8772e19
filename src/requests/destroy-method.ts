import type { Session, Store } from 'express-session'
import { isCallback } from '../callback.js'
import { entriesIn } from '../hash/index-fields.js'
import type { KnownEntries } from '../session/end-key.js'
import type { SessionRecord } from '../session/session-record.js'
import { noteDestruction } from './destroyed-sessions.js'
import type { MethodOf } from './live-session.js'
import type { SessionRequest } from './store-access.js'

type LiveSession = NonNullable<SessionRequest['session']> & { req: object }

/**
 * The `destroy` method of session objects: express-session's own, which passes only the id on to the store. This one also
 * remembers which session object it was called for, and notes the outcome with the request if a middleware has asked
 * for that. There is one method per store, and no closure per session.
 */
export class DestroyMethod {
  /** Makes the method over that of the host. */
  readonly over: MethodOf
  /** Is told of a failure that no callback is told of. Undefined: no outcome is noted. */
  unheard: (() => void) | undefined
  #known: KnownEntries | undefined

  /** @param missedId returns the id that a request came with, if no session was found under it */
  constructor(recordOf: (session: object) => SessionRecord | undefined, missedId: (req: object) => string | undefined) {
    const method = this
    this.over = (own) => {
      function destroy(this: LiveSession, callback: (err?: unknown) => void): Session {
        const { unheard } = method
        const done = unheard === undefined ? callback : noteDestruction(this, callback, unheard)
        const missed = missedId(this.req)
        method.#known = knownEntries(recordOf(this))
        try {
          const then = missed === undefined ? done : alsoEnding(missed, this.req, done)
          return own.destroy.call(this, then)
        } finally {
          method.#known = undefined
        }
      }
      return { configurable: true, enumerable: false, writable: true, value: destroy }
    }
  }

  /** The index entries of the session whose `destroy` calls the store at this moment. */
  get known(): KnownEntries | undefined {
    return this.#known
  }
}

/** Ends the session that may have gone on under another id before this request came (arrivals.ts), before it calls back. */
function alsoEnding(missed: string, req: object, done: ((err?: unknown) => void) | undefined) {
  const { sessionStore } = req as { sessionStore: Store }
  const callBack = isCallback(done) ? done : () => undefined
  return (err?: unknown) => (err ? callBack(err) : void sessionStore.destroy(missed, callBack))
}

/** The index entries of a session as it was loaded, or saved since. */
export function knownEntries(record: SessionRecord | undefined): KnownEntries | undefined {
  if (record?.origin.kind !== 'hash') return undefined
  return { entries: entriesIn(record.indexFields), idleMs: record.origin.meta.idleMs }
}
