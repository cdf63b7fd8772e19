import type { SessionContent } from './hash/session-data.js'

/** What is known of a session besides its properties. */
export interface SessionInfo {
  /** Public name, safe to show; not accepted as a session id. */
  handle: string
  createdAt: Date
  /** When its expiry was last refreshed: at most `touchInterval` behind its last request. */
  seenAt: Date
  /** When it ends if nobody uses it; null if it never does (`disableTTL`). */
  expiresAt: Date | null
  /** For each index of the store, the values under which the session is to be found; long ones as a digest, `#…`. */
  indexes: Readonly<Record<string, readonly string[]>>
  /** Browser and system it began with, e.g. `Firefox on Linux`; with `bindClient({ label: true })`. */
  client?: string
}

/** What `onEnd` gets. */
export interface EndedSession {
  /** Its properties, and its cookie, as they were last saved. */
  session: SessionContent
  /** `expiresAt` is when it ended. */
  info: SessionInfo
}
