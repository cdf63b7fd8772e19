import type { Session } from 'express-session'
import type { Callback } from '../callback.js'
import type { LoadedSession } from '../hash/decode.js'
import { handleOf } from '../ids/handle.js'
import { traceMethods } from '../operations.js'
import type { Within } from '../redis/deadline.js'
import type { Context } from '../session/context.js'
import { destroySession } from '../session/destroy.js'
import { wasRotated } from '../session/rotated-ids.js'
import type { SessionRecord } from '../session/session-record.js'
import type { Sessions } from './sessions.js'
import type { OpenedSession, SessionRequest } from './store-access.js'
import { isValid } from './validate.js'

/** The id that a request presented. */
export interface Arrival {
  sid: string
  /** The id names a session, but is so old that only an attacker would present it. */
  isReuse: boolean
  /** The record of a session object that was already admitted with this id and loads its session again. */
  held?: SessionRecord | undefined
}

/** Loads the session that a request presented, and remembers ids for which there was no session. */
export class Arrivals {
  readonly #context: Context
  readonly #sessions: Sessions
  readonly #within: Within
  /** By request, the ids for which there was no session. */
  readonly #missed = new WeakMap<object, Arrival>()
  /** Sessions that were returned to requests outside Express. */
  readonly #opened = new WeakMap<object, SessionRecord>()
  #answering: Arrival | undefined

  static {
    traceMethods(Arrivals.prototype, { open: 'load' }, (self) => self.#context)
  }

  constructor(context: Context, sessions: Sessions, within: Within) {
    this.#context = context
    this.#sessions = sessions
    this.#within = within
  }

  /** Identifies a session by its object, so that it is found however old its id has become meanwhile. */
  of(session: Session): Arrival {
    return { sid: session.id, isReuse: false, held: heldBy(this.#sessions.recordOf(session)) }
  }

  /** Loads the session with this id, if it may still be used. */
  load(arrival: Arrival): Promise<LoadedSession | null> {
    const onReuse = () => {
      arrival.isReuse = true
    }
    const loading = this.#within(this.#sessions.get(arrival.sid, onReuse, arrival.held))
    return this.#context.options.validate === undefined ? loading : loading.then((session) => this.#validated(session))
  }

  async #validated(session: LoadedSession | null): Promise<LoadedSession | null> {
    const record = session && this.#sessions.recordOf(session)
    if (!record) return null
    return (await isValid(this.#context, session, record, this.#within)) ? session : null
  }

  /** Returns synchronously what `load` would resolve to; undefined if something must be awaited. */
  loadAtOnce({ sid, held }: Arrival): LoadedSession | undefined {
    if (held !== undefined || this.#context.options.validate !== undefined) return undefined
    return this.#sessions.getAtOnce(sid)
  }

  async open(sid: string, req: SessionRequest): Promise<OpenedSession | null> {
    const known = this.#opened.get(req) ?? (req.session ? this.#sessions.recordOf(req.session) : undefined)
    const arrival: Arrival = { sid, isReuse: false, held: known?.askedWith === sid ? heldBy(known) : undefined }
    const session = await this.load(arrival)
    if (arrival.isReuse) await this.#endReused(sid)
    const record = session && this.#sessions.recordOf(session)
    if (!record) return null
    this.#opened.set(req, record)
    return { session, handle: handleOf(record.storedId) }
  }

  /**
   * Calls express-session's callback. If there is no session, express-session makes a new one synchronously within
   * this call (`standIn`).
   */
  answer(arrival: Arrival, callback: Callback<LoadedSession | null>, err: unknown, value?: LoadedSession | null): void {
    const isMissing = !err && !value
    if (isMissing) this.#sessions.missed(arrival.sid)
    this.#answering = isMissing ? arrival : undefined
    if (value) this.#sessions.offer(value)
    try {
      callback(err, value)
    } finally {
      this.#answering = undefined
      if (value) this.#sessions.settleOffer()
    }
  }

  /** Records the answer to a caller without a callback. */
  answered({ sid }: Arrival, session: LoadedSession | null): void {
    if (session === null) this.#sessions.missed(sid)
    else this.#sessions.handOut(session)
  }

  /**
   * Called when a request gets a new session. If this happens while its id is being answered, the new session
   * replaces the missing one.
   */
  standIn(req: object): void {
    if (this.#answering !== undefined) this.#missed.set(req, this.#answering)
    this.#answering = undefined
  }

  missedId(req: object): string | undefined {
    return this.#missed.get(req)?.sid
  }

  cameWithRotatedId(req: object): Promise<boolean> | false {
    const missed = this.#missed.get(req)
    return missed !== undefined && this.#within(wasRotated(this.#context, this.#sessions.storedIds(missed.sid)))
  }

  endReused(req: object): Promise<void> | undefined {
    const missed = this.#missed.get(req)
    return missed?.isReuse ? this.#endReused(missed.sid) : undefined
  }

  #endReused(sid: string): Promise<void> {
    const storedIds = this.#sessions.storedIds(sid)
    this.#context.announcer.announce('reuse', { handle: handleOf(storedIds[0] as string) })
    return this.#within(destroySession(this.#context, storedIds, 'reuse'))
  }
}

/** A session that this request has created itself was not admitted by an id. */
function heldBy(record: SessionRecord | undefined): SessionRecord | undefined {
  return (record?.presented?.isHeld ?? true) ? record : undefined
}
