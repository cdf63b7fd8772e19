import { HttpError } from './http-error.js'

/**
 * The codes of all failures that this library reports at run time. Test `err.code`, never `instanceof`: an application
 * may have two copies of this package. docs/errors.md explains each code, and what to do.
 */
export type SessionErrorCode =
  | 'ERR_SESSION_TIMEOUT'
  | 'ERR_SESSION_UNAVAILABLE'
  | 'ERR_SESSION_READONLY'
  | 'ERR_SESSION_NO_REPLICAS'
  | 'ERR_SESSION_NOT_REPLICATED'
  | 'ERR_SESSION_PERSISTENCE'
  | 'ERR_SESSION_OUT_OF_MEMORY'
  | 'ERR_SESSION_FORBIDDEN'
  | 'ERR_SESSION_REDIS'
  | 'ERR_SESSION_INVALID_ID'
  | 'ERR_SESSION_INVALID_TTL'
  | 'ERR_SESSION_INVALID_COOKIE'
  | 'ERR_SESSION_INVALID_INDEX'
  | 'ERR_SESSION_NOT_SERIALIZABLE'
  | 'ERR_SESSION_NOT_A_NUMBER'
  | 'ERR_SESSION_NOT_AN_OBJECT'
  | 'ERR_SESSION_TOO_LARGE'
  | 'ERR_SESSION_FOREIGN_KEY'
  | 'ERR_SESSION_CONFLICT'
  | 'ERR_SESSION_LIMIT'
  | 'ERR_SESSION_HEADERS_SENT'
  | 'ERR_SESSION_LOGIN_NOT_FRESH'
  | 'ERR_SESSION_DEVICE_NOT_BOUND'

/** HTTP status of each code. 503: Redis cannot do this now; 500: the application is the reason. */
const STATUS: Readonly<Record<SessionErrorCode, number>> = {
  ERR_SESSION_TIMEOUT: 503,
  ERR_SESSION_UNAVAILABLE: 503,
  ERR_SESSION_READONLY: 503,
  ERR_SESSION_NO_REPLICAS: 503,
  ERR_SESSION_NOT_REPLICATED: 503,
  ERR_SESSION_PERSISTENCE: 503,
  ERR_SESSION_OUT_OF_MEMORY: 503,
  ERR_SESSION_FORBIDDEN: 503,
  ERR_SESSION_REDIS: 503,
  ERR_SESSION_INVALID_ID: 500,
  ERR_SESSION_INVALID_TTL: 500,
  ERR_SESSION_INVALID_COOKIE: 500,
  ERR_SESSION_INVALID_INDEX: 500,
  ERR_SESSION_NOT_SERIALIZABLE: 500,
  ERR_SESSION_NOT_A_NUMBER: 500,
  ERR_SESSION_NOT_AN_OBJECT: 500,
  ERR_SESSION_TOO_LARGE: 500,
  ERR_SESSION_FOREIGN_KEY: 500,
  ERR_SESSION_CONFLICT: 500,
  ERR_SESSION_LIMIT: 409,
  ERR_SESSION_HEADERS_SENT: 500,
  ERR_SESSION_LOGIN_NOT_FRESH: 401,
  ERR_SESSION_DEVICE_NOT_BOUND: 403,
}

/** All codes. */
export const ERROR_CODES = Object.keys(STATUS) as readonly SessionErrorCode[]

/**
 * A failure of the store or of its middleware. It carries no session id, key or session data, so you may log it as it
 * is.
 */
export class SessionStoreError extends HttpError {
  override readonly name = 'SessionStoreError'
  /** What has failed (`SessionErrorCode`). */
  readonly code: SessionErrorCode

  constructor(code: SessionErrorCode, message: string, options?: { cause?: unknown }) {
    super(STATUS[code], message, options)
    this.code = code
  }
}

/** Describes an error without its message, which may contain session data from `validate` or an index function. */
export function nameOf(err: unknown): string {
  const { code, name } = (err ?? {}) as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : typeof err
}
