import type { SessionData } from 'express-session'
import type { SessionContent } from './hash/session-content.js'

/** What the store knows about a session, apart from its properties. */
export interface SessionInfo {
  /** Public name of the session. You may show it; the store does not accept it as a session id. */
  handle: string
  /** When the session began. A rotation does not change it. */
  createdAt: Date
  /** When the session's expiry was last refreshed. Its last request was at most `touchInterval` later. */
  seenAt: Date
  /** When the session ends if nobody uses it; null if it does not expire (`disableTTL`). */
  expiresAt: Date | null
  /**
   * The values by which the session can be found, for each index of the store. A digest, `#…`, replaces a long value.
   */
  indexes: Readonly<Record<string, readonly string[]>>
  /**
   * Browser and operating system with which the session began, e.g. `Firefox on Linux`. Present only with
   * `bindClient({ label: true })`.
   */
  client?: string
  /** Whether the session is bound to the device that has logged in (`bindDevice`). */
  deviceBound: boolean
}

/** The argument of `onEnd`: a session that has ended. */
export interface EndedSession<Data extends object = SessionData> {
  /** The session's properties and cookie, as they were last saved. */
  session: SessionContent<Data>
  /** What the store knows about the session; `expiresAt` is when it ended. */
  info: SessionInfo
}
