import { Session } from 'express-session'
import { traceMethods } from '../operations.js'
import type { Within } from '../redis/deadline.js'
import { confirmId, type RenewalTerms, renewSession } from '../rotation/renew.js'
import type { Context } from '../session/context.js'
import type { Sessions } from './sessions.js'
import type { RenewalAccess, SessionRequest, Visit } from './store-access.js'

/** Gives the session of a request its next id when it is due (`renewSession`). */
export class SessionRenewal implements RenewalAccess {
  readonly #context: Context
  readonly #sessions: Sessions
  readonly #within: Within
  readonly #equip: (session: object) => void

  static {
    traceMethods(SessionRenewal.prototype, { renew: 'renew', confirm: 'confirm' }, (self) => self.#context)
  }

  /** @param equip prepares every session object that a request gets */
  constructor(context: Context, sessions: Sessions, within: Within, equip: (session: object) => void) {
    this.#context = context
    this.#sessions = sessions
    this.#within = within
    this.#equip = equip
  }

  visitOf(session: object): Visit | undefined {
    const record = this.#sessions.recordOf(session)
    if (record?.presented === undefined || record.origin.kind === 'string') return undefined
    const { admission, issuedAtMs } = record.presented
    return { admission, issuedAtMs }
  }

  async confirm(session: object): Promise<void> {
    const record = this.#sessions.recordOf(session)
    if (record?.presented === undefined) return
    await this.#within(confirmId(this.#context, record, record.presented))
  }

  async renew(req: SessionRequest, terms: RenewalTerms, mayIssue: boolean): ReturnType<RenewalAccess['renew']> {
    const { session } = req
    const record = session && this.#sessions.recordOf(session)
    if (!record?.presented) return 'current'
    const everyMs = mayIssue ? terms.everyMs : undefined
    const renewal = await this.#within(renewSession(this.#context, record, record.presented, { ...terms, everyMs }))
    if (renewal.kind !== 'next') return renewal.kind
    if (mayIssue && session && req.session === session) this.#goOn(req, session, renewal.sid)
    return 'current'
  }

  /** express-session sends a cookie if the session has another id than when it was loaded. */
  #goOn(req: SessionRequest, session: NonNullable<SessionRequest['session']>, sid: string): void {
    req.sessionID = sid
    const next = Reflect.construct(Session, [req, { ...session }]) as typeof session
    this.#sessions.carryOver(session, next)
    this.#equip(next)
    req.session = next
  }
}
