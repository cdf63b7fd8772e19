import { type HashIds, idMapper, isDigest } from '../ids/id-mapper.js'
import { checkNames } from '../known-options.js'
import type { OldIds } from '../session/adopt.js'
import { derivedKeys } from './secrets.js'

/**
 * The cookie that an application had before it came to `secureSession`. WARNING: while it is accepted, sessions are
 * only as safe as that cookie. A subdomain can plant a name without `__Host-`, a leaked old secret lets anybody forge
 * the cookie, and plain ids can be read in a dump of Redis.
 */
export interface AcceptFromOptions {
  /** Name of the old cookie, such as `connect.sid`. */
  name: string
  /** The secret with which `session()` signed the old cookie, or the list of secrets. */
  secret: string | readonly string[]
  /** When the old cookie stops being accepted: a Date, or a text like `2027-03-01`; at most a year from now. */
  until: Date | string
  /**
   * The option `hashIds` of the old store, if it had one. Default: the old sessions are stored under their plain ids.
   */
  hashIds?: HashIds
  /**
   * Attributes with which the old cookie was set: a browser deletes only a cookie with the same ones. Default: the
   * attributes of the old session's cookie.
   */
  cookie?: OldCookieAttributes
}

export interface OldCookieAttributes {
  path?: string
  domain?: string
  secure?: boolean
  sameSite?: boolean | 'lax' | 'strict' | 'none'
  partitioned?: boolean
}

export interface AcceptFrom {
  name: string
  secrets: readonly string[]
  untilMs: number
  /** From the id in the old cookie to the ids under which its session may be stored. */
  ids: OldIds
  cookie: OldCookieAttributes | undefined
  /** From these, the new id of a session is derived: that of the current secret first. */
  keys: readonly string[]
}

const NAMES: Record<keyof AcceptFromOptions, 0> = { name: 0, secret: 0, until: 0, hashIds: 0, cookie: 0 }
const COOKIE: Record<keyof OldCookieAttributes, 0> = { path: 0, domain: 0, secure: 0, sameSite: 0, partitioned: 0 }

/** A cookie that is accepted for longer is no transition. One day more, for leap years and time zones. */
const MAX_MS = 367 * 86_400_000

/**
 * Checks the option `acceptFrom`.
 *
 * @param newName name of the new cookie
 * @param secrets those of the new cookie, current first
 * @throws TypeError that names the option, and does not repeat the secret
 */
export function checkedAcceptFrom(
  given: AcceptFromOptions | undefined,
  newName: string,
  secrets: readonly string[],
): AcceptFrom | undefined {
  if (given === undefined) return undefined
  checkNames(
    'secureSession acceptFrom',
    given,
    NAMES,
    "acceptFrom: { name: 'connect.sid', secret, until: '2027-03-01' }",
  )
  const { name, secret, until, hashIds = false, cookie } = given
  if (typeof name !== 'string' || name === '') {
    throw new TypeError('"acceptFrom.name" option must be the name of the old cookie, such as connect.sid')
  }
  if (name === newName) {
    throw new TypeError(
      '"acceptFrom.name" option must be another name than that of the new cookie; older secrets go into "secret"',
    )
  }
  if (cookie !== undefined) checkNames('secureSession acceptFrom.cookie', cookie, COOKIE, "cookie: { path: '/' }")
  return {
    name,
    secrets: secretsIn(secret),
    untilMs: timeIn(until),
    ids: idsOf(hashIds),
    cookie,
    keys: derivedKeys(secrets, 'acceptFrom'),
  }
}

function secretsIn(secret: unknown): readonly string[] {
  const secrets: unknown = typeof secret === 'string' ? [secret] : secret
  if (
    !Array.isArray(secrets) ||
    secrets.length === 0 ||
    !secrets.every((one) => typeof one === 'string' && one !== '')
  ) {
    throw new TypeError('"acceptFrom.secret" option must be the secret of the old session(), or the list of them')
  }
  return secrets as string[]
}

function timeIn(until: unknown): number {
  const ms = until instanceof Date || typeof until === 'string' ? new Date(until).getTime() : Number.NaN
  if (Number.isNaN(ms)) {
    throw new TypeError(
      '"acceptFrom.until" option must say when the old cookie is accepted no more: a Date, or a text like 2027-03-01',
    )
  }
  if (ms > Date.now() + MAX_MS) throw new TypeError('"acceptFrom.until" option must be at most a year from now')
  return ms
}

/**
 * Old sessions may be under digests, or under plain ids. An id that looks like a digest is not looked up as it is: somebody who
 * has read Redis and has the old secret could then take over a session that has its digest there.
 */
function idsOf(hashIds: HashIds): OldIds {
  if (hashIds !== false) return idMapper(hashIds, true)
  return { candidates: (sid) => (isDigest(sid) ? [] : [sid]) }
}
