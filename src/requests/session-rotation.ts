import type { Cookie } from 'express-session'
import { EncodedOnce } from '../hash/encoded-once.js'
import { isProperty } from '../hash/field-name.js'
import type { AnySession } from '../hash/session-data.js'
import { invalidId } from '../ids/sid.js'
import { traceMethods } from '../operations.js'
import type { Within } from '../redis/deadline.js'
import { mergeLateSaves } from '../rotation/merge-late-saves.js'
import { retireForNext } from '../rotation/retire.js'
import { admitNext, ancestorOf } from '../rotation/rotate.js'
import { writtenProperties } from '../rotation/written-properties.js'
import type { Context } from '../session/context.js'
import { leaveNext } from '../session/continuation.js'
import type { RequestHooks } from './request-hooks.js'
import type { SessionState } from './session-state.js'
import type { Sessions } from './sessions.js'
import type { Rotation, SessionRequest } from './store-access.js'

type LiveSession = NonNullable<SessionRequest['session']>

interface Parts {
  context: Context
  sessions: Sessions
  state: SessionState
  hooks: RequestHooks
  within: Within
  /** Makes a session for the request, as express-session does. */
  make: (req: SessionRequest) => void
}

/** Gives the session of a request a new id. */
export class SessionRotation {
  readonly #parts: Parts

  static {
    traceMethods(SessionRotation.prototype, { rotate: 'rotate' }, (self) => self.#parts.context)
  }

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async rotate(req: SessionRequest, rotation: Rotation): Promise<boolean> {
    const { context, sessions, hooks, within } = this.#parts
    const old = req.session as LiveSession
    const record = sessions.recordOf(old)
    const ids = sessions.storedIds(req.sessionID)
    const encoded = new EncodedOnce(record)
    const written = await writtenProperties(context, old as AnySession, record, encoded)
    const { fresh, goBack } = this.#replace(req, rotation, new Set(written))
    const [to] = sessions.storedIds(req.sessionID)
    // If the login is refused, because there are too many sessions or this one is too large, the previous session
    // stays unchanged.
    const before = { ids, record, mustExist: rotation.mustExist }
    const continuation = await within(async (signal) => {
      if (to === undefined) throw invalidId(req.sessionID)
      return admitNext(context, to, fresh, before, encoded, signal)
    }).catch((err: unknown) => {
      goBack()
      throw err
    })
    const left = continuation && (await within(retireForNext(context, ids, continuation)))
    if (continuation === null || (rotation.mustExist && left === null)) {
      if (continuation !== null) await within(leaveNext(context, continuation))
      goBack()
      return false
    }
    if (left !== null && record !== undefined) {
      await mergeLateSaves(context, left, record, old as AnySession, fresh as AnySession, written, rotation.isKept)
    }
    hooks.hasNewSession(req, fresh, old)
    if (record !== undefined) {
      sessions.inherit(fresh, ancestorOf(record, left, continuation))
    }
    if (rotation.isLast) sessions.fix(fresh, encoded)
    context.announcer.announceRotation(ids[0] as string, continuation.to, rotation.reason)
    return true
  }

  /** Gives the request a new session with those properties of the old one that are kept. */
  #replace(req: SessionRequest, rotation: Rotation, written: ReadonlySet<string>) {
    const old = req.session as LiveSession
    const oldSid = req.sessionID
    this.#parts.make(req)
    const fresh = req.session as LiveSession
    this.#parts.state.continues(fresh)
    for (const property of Object.keys(old).filter(isProperty)) {
      const isKept = rotation.isKept(property) || (rotation.keepsWritten && written.has(property))
      if (isKept) fresh[property] = old[property]
    }
    if (rotation.cookie !== undefined) fresh.cookie = rotation.cookie as Cookie
    return { fresh, goBack: () => void Object.assign(req, { session: old, sessionID: oldSid }) }
  }
}
