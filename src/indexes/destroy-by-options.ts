import { checkNames } from '../known-options.js'

export interface DestroyByOptions {
  /**
   * Id of the session to keep: `req.sessionID`, for "log out everywhere else". If the session gets a new id during the
   * call, it is kept under that id as well.
   */
  except?: string | undefined
  /**
   * Ends only the session with this public name, if it has the value. Users can therefore end only their own sessions.
   */
  handle?: string
  /**
   * true: also looks at every session in Redis, because the index may lack some: sessions that connect-redis wrote, or
   * all of them if Redis has evicted the index. This scans all keys of the database. Default: the store's option
   * `thorough`.
   */
  thorough?: boolean | undefined
}

const DESTROY_BY: Record<keyof DestroyByOptions, string> = { except: 'string', handle: 'string', thorough: 'boolean' }

/** Rejects unknown options, because a misspelled option could end sessions that should be kept. */
export function checkedDestroyBy(options: DestroyByOptions): DestroyByOptions {
  checkNames('destroyBy', options, DESTROY_BY, "destroyBy('user', id, { except: req.sessionID })")
  for (const [name, value] of Object.entries(options)) {
    const type = DESTROY_BY[name as keyof DestroyByOptions]
    // A request without a session has no id, and there is no session to keep, so `except` may be undefined. A handle
    // may not: if it is missing from a form, the call must not end all sessions instead of one.
    if (value === undefined && name !== 'handle') continue
    if (typeof value !== type) throw new TypeError(`"${name}" option must be a ${type}`)
  }
  return options
}
