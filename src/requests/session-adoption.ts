import { ADOPTED_FIELD } from '../hash/bookkeeping.js'
import { traceMethods } from '../operations.js'
import type { Within } from '../redis/deadline.js'
import { type Adopted, adoptSession, isAdoptedId, isUsable, type OldIds } from '../session/adopt.js'
import type { Context } from '../session/context.js'
import type { SessionFields } from './session-fields.js'
import type { AdoptionAccess, SessionRequest } from './store-access.js'

/** Takes over the session of a request that comes with a cookie of another name. */
export class SessionAdoption implements AdoptionAccess {
  readonly #context: Context
  readonly #within: Within
  readonly #fields: SessionFields

  static {
    traceMethods(SessionAdoption.prototype, { adopt: 'adopt' }, (self) => self.#context)
  }

  constructor(context: Context, fields: SessionFields, within: Within) {
    this.#context = context
    this.#fields = fields
    this.#within = within
  }

  isThere(sid: string): Promise<boolean> {
    return this.#within(isUsable(this.#context, sid))
  }

  adopt(oldSid: string, ids: OldIds, firsts: readonly [string, ...string[]]): Promise<Adopted | null> {
    return this.#within(adoptSession(this.#context, oldSid, ids, firsts))
  }

  confirm({ session, sessionID }: SessionRequest, nowMs: number): Promise<void> | undefined {
    if (!session || !isAdoptedId(sessionID) || this.#fields.marked(session, ADOPTED_FIELD) !== undefined)
      return undefined
    this.#fields.mark(session, ADOPTED_FIELD, Math.floor(nowMs).toString(36))
    return this.#fields.saveMarks(session)
  }
}
