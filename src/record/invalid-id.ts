import { SessionStoreError } from '../errors.js'

export function invalidId(): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_INVALID_ID',
    'not a session id: 1 to 255 of the characters A-Z a-z 0-9 - _ . ~ : + / = , @ (does the "genid" option make others?)',
  )
}
