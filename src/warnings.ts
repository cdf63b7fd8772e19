/**
 * All warnings. true: Node prints the warning if nobody listens for it, because data would be lost or an attack
 * possible. docs/operations.md has a row for each.
 */
export const WARNINGS = {
  'backchannel-logout-failed': true,
  'cache-off': false,
  'client-settings': false,
  'destroy-by-incomplete': true,
  'error-unanswered': true,
  'expire-forbidden': false,
  'failure-unheard': true,
  'forwarded-untrusted': false,
  'old-cookie-accepted': true,
  'on-end-failed': false,
  'principal-changed-outside': true,
  'principal-never-seen': true,
  'saves-copies': false,
  'session-over-limit': false,
  'sessions-all-indexed': false,
  'sessions-not-indexed': false,
  'side-connection-down': false,
  'side-connection-up': false,
} as const

export type WarningCode = keyof typeof WARNINGS
