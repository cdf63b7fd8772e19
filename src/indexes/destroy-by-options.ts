import { checkNames } from '../known-options.js'

export interface DestroyByOptions {
  /**
   * Id of a session that is to stay: `req.sessionID`, for "log out everywhere else". If it gets a new id from then on, it stays under
   * that one.
   */
  except?: string | undefined
  /** Only the session with this public name, if it is among them: a user can end his own sessions only. */
  handle?: string
  /**
   * Also look at every session there is, for when Redis may have evicted the index itself. Walks the whole keyspace.
   * Default false.
   */
  thorough?: boolean | undefined
}

const DESTROY_BY: Record<keyof DestroyByOptions, string> = { except: 'string', handle: 'string', thorough: 'boolean' }

/** A typing mistake here would end sessions that are to stay. */
export function checkedDestroyBy(options: DestroyByOptions): DestroyByOptions {
  checkNames('destroyBy', options, DESTROY_BY, "destroyBy('user', id, { except: req.sessionID })")
  for (const [name, value] of Object.entries(options)) {
    const type = DESTROY_BY[name as keyof DestroyByOptions]
    // A request without a session has no id, and nothing that is to stay. But a handle that was left out of a form must not
    // end all sessions instead of one.
    if (value === undefined && name !== 'handle') continue
    if (typeof value !== type) throw new TypeError(`"${name}" option must be a ${type}`)
  }
  return options
}
