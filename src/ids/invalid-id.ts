import { SessionStoreError } from '../errors.js'
import { sidFault } from './sid.js'

/** @param id what was given for one; the error does not repeat it */
export function invalidId(id: unknown): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_INVALID_ID',
    `not a session id: ${sidFault(id)}. Where ids are made ("genid" option), encode what may hold others: Buffer.from(id).toString('base64url')`,
  )
}
