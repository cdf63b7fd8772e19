import { identityOf } from '../hash/identity.js'
import type { AnyContent } from '../hash/session-content.js'

/** Returns the user of a session; null, undefined or '' if there is none. */
export type Principal = (session: AnyContent) => unknown

/**
 * Returns a comparable id of the user; undefined if there is none.
 *
 * @throws TypeError with a suggested function, if the principal returns a value that does not tell users apart
 */
export function userOf(principal: Principal, session: AnyContent): string | undefined {
  const who = principal(session)
  if (who === undefined || who === null || who === '') return undefined
  const id = identityOf(who)
  if (id === undefined) throw new TypeError(`${NO_ID}, not ${kindOf(who)}: ${functionFor(who, session)}`)
  return id
}

/**
 * Returns the source text of a function that finds the user of this session; undefined if nothing in it looks like a
 * user.
 */
export function guessPrincipal(session: AnyContent): string | undefined {
  for (const name of USER_NAMES) {
    const held: unknown = session[name]
    const at = name === 'passport' ? (held as { user?: unknown } | undefined)?.user : held
    const found = idIn(at, name === 'passport' ? 'session.passport?.user' : `session.${name}`)
    if (found !== undefined) return `(session) => ${found}`
  }
  return undefined
}

/** Property names that applications and login packages use for the user of a session. */
const USER_NAMES = [
  'userId',
  'user',
  'passport',
  'userID',
  'user_id',
  'username',
  'userName',
  'currentUser',
  'authUser',
  'accountId',
] as const

/** Property names that they use for the permanent id of a user. */
const ID_NAMES = ['id', '_id', 'userId', 'user_id', 'sub', 'uid', 'oid', 'username', 'email'] as const

const NO_ID = 'rotateOnLogin() has to tell users apart: its principal must return an id, or null for nobody'

/** Returns an expression for the id of a user. */
function idIn(value: unknown, path: string): string | undefined {
  if (value === '') return undefined
  if (identityOf(value) !== undefined) return path
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const name = ID_NAMES.find((one) => identityOf((value as Record<string, unknown>)[one]) !== undefined)
  return name && `${path}?.${name}`
}

function kindOf(who: unknown): string {
  if (Array.isArray(who)) return 'a list'
  if (typeof who === 'string') return 'a string with half a surrogate pair'
  if (typeof who !== 'object') return typeof who === 'number' ? 'a number that is none' : `a ${typeof who}`
  return typeof (who as { then?: unknown }).then === 'function' ? 'a promise' : 'an object'
}

/** Suggests a principal function: one based on the returned object, if that is part of the session. */
function functionFor(who: unknown, session: AnyContent): string {
  const name = Object.keys(session).find((property) => session[property] === who)
  const isPassport = who === (session.passport as { user?: unknown } | undefined)?.user
  const path = isPassport ? 'session.passport?.user' : name === undefined ? undefined : `session.${name}`
  const found = path && idIn(who, path)
  return found ? `(session) => ${found}` : (guessPrincipal(session) ?? '(session) => session.userId')
}
