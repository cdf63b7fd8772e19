/** How long and how much one request may take. Tests shorten it. */
export interface Limits {
  /** Milliseconds for `authorize` and for `audit`. */
  applicationMs: number
  /** Milliseconds for a walk through all keys. */
  walkMs: number
  /** Keys that one walk looks at. */
  walkKeys: number
  /** Walks at a time, in this process. */
  walks: number
  /** Milliseconds after which an answer no longer waits until all sessions have been ended. */
  endMs: number
  /** Visitors who follow the live feed at a time, in this process. */
  followers: number
  /** Milliseconds after which a live feed ends. Its visitor asks again, and `authorize` decides again. */
  followMs: number
  /** Milliseconds between two signs of life in a live feed. */
  heartbeatMs: number
  /** Bytes that wait for a visitor of the live feed. More is left out. */
  followBytes: number
  /** Milliseconds for which changes are gathered after the last visitor of the live feed. */
  lingerMs: number
}

export const LIMITS: Limits = Object.freeze({
  applicationMs: 10_000,
  walkMs: 5000,
  walkKeys: 250_000,
  walks: 4,
  endMs: 10_000,
  followers: 50,
  followMs: 10 * 60_000,
  heartbeatMs: 15_000,
  followBytes: 64 * 1024,
  lingerMs: 5 * 60_000,
})
