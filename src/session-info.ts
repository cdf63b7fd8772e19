import type { SessionData } from 'express-session'
import type { SessionContent } from './hash/session-content.js'

/** What the store knows of a session, apart from its properties. */
export interface SessionInfo {
  /** Public name of the session, safe to show; it is not accepted as a session id. */
  handle: string
  createdAt: Date
  /** When the session's expiry was last refreshed; its last request is at most `touchInterval` later. */
  seenAt: Date
  /** When the session ends if nobody uses it; null if it never does (`disableTTL`). */
  expiresAt: Date | null
  /**
   * For each index of the store, the values under which the session can be found. Long values appear as a digest, `#…`.
   */
  indexes: Readonly<Record<string, readonly string[]>>
  /**
   * Browser and operating system that the session began with, e.g. `Firefox on Linux`. Set with
   * `bindClient({ label: true })`.
   */
  client?: string
}

/** The argument of `onEnd`: a session that has ended. */
export interface EndedSession<Data extends object = SessionData> {
  /** The session's properties and cookie, as they were last saved. */
  session: SessionContent<Data>
  /** Info about the session; `expiresAt` is when it ended. */
  info: SessionInfo
}
