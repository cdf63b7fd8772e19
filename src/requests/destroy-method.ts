import type { Session } from 'express-session'
import { entriesIn } from '../hash/index-fields.js'
import type { KnownEntries } from '../session/end-key.js'
import type { SessionRecord } from '../session/session-record.js'

type Destroy = (this: Session, done: (err?: unknown) => void) => Session

/**
 * Remembers which session object is just being destroyed. express-session's own method passes only the id on to the
 * store, which then does not know the session's index entries until Redis has told it.
 */
export class DestroyMethod {
  /** Defines `destroy` for session objects. There is one method per store, and no closure per session. */
  readonly descriptor: PropertyDescriptor
  #known: KnownEntries | undefined

  constructor(recordOf: (session: object) => SessionRecord | undefined) {
    const method = this
    function destroy(this: Session, done: (err?: unknown) => void): Session {
      method.#known = knownEntries(recordOf(this))
      try {
        return (Object.getPrototypeOf(this) as { destroy: Destroy }).destroy.call(this, done)
      } finally {
        method.#known = undefined
      }
    }
    this.descriptor = { configurable: true, enumerable: false, writable: true, value: destroy }
  }

  /** The index entries of the session whose `destroy` calls the store at this moment. */
  get known(): KnownEntries | undefined {
    return this.#known
  }
}

/** The index entries of a session as it was loaded, or saved since. */
export function knownEntries(record: SessionRecord | undefined): KnownEntries | undefined {
  if (record?.origin.kind !== 'hash') return undefined
  return { entries: entriesIn(record.indexFields), idleMs: record.origin.meta.idleMs }
}
