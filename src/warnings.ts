/**
 * Each warning, and whether Node prints it where nobody listens: something is lost otherwise, or open to attack.
 * docs/operations.md has a row for each.
 */
export const WARNINGS = {
  'cache-off': false,
  'client-settings': false,
  'error-unanswered': true,
  'expire-forbidden': false,
  'failure-unheard': true,
  'forwarded-untrusted': false,
  'on-end-failed': false,
  'principal-changed-outside': true,
  'principal-never-seen': true,
  'saves-copies': false,
  'session-over-limit': false,
  'sessions-not-indexed': false,
  'side-connection-down': false,
  'side-connection-up': false,
} as const

export type WarningCode = keyof typeof WARNINGS
