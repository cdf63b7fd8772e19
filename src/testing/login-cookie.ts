import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { sign } from 'cookie-signature'
import type { SessionData } from 'express-session'
import { LEVEL_FIELD } from '../hash/bookkeeping.js'
import { isSid } from '../ids/sid.js'
import { checkNames } from '../known-options.js'
import { recordLogin } from '../middleware/login-time.js'
import { levelNow, neededLevel } from '../middleware/session-level.js'
import type { SessionRequest, StoreAccess } from '../requests/store-access.js'
import { newSessionId } from '../secure-session/session-id.js'
import type { AnyRedisStore, RedisStore } from '../store.js'
import { accessOf } from './access-of.js'
import { refuseProduction } from './refuse-production.js'

export interface LoginCookieOptions {
  /** The `secret` of `session()` or `secureSession()`; of a list, the first one signs. */
  secret: string | readonly string[]
  /**
   * The `name` of the cookie. Default `'connect.sid'`, as with `session()`. The default of `secureSession()` is
   * `'__Host-sid'`, or `'sid'` with `cookie: { secure: false }`.
   */
  name?: string
  /**
   * How surely the user has proved who they are, as with `rotateSession`: 1 to 9. Default: what `requireFreshLogin` asks for by
   * itself, which is 1, or more with a preset of NIST.
   */
  level?: number
}

const NAMES: Record<keyof LoginCookieOptions, 0> = { secret: 0, name: 0, level: 0 }
const EXAMPLE = "loginCookie(store, { userId: 'u-1' }, { secret, name: 'sid' })"
const NAME = /^[\w!#$%&'*+\-.^`|~]+$/

/**
 * Logs a user in without the application's login: saves a new session with this content, and resolves the cookie that
 * belongs to it, `name=value`, for the `Cookie` header of requests. The login counts as made just now
 * (`requireFreshLogin`).
 *
 * The session gets the cookie options of the application if its `session()` or `secureSession()` has been made before, and
 * express-session's defaults otherwise.
 *
 * @param data properties of the session, at least one
 * @throws TypeError for a wrong store, data or options; Error with NODE_ENV=production; SessionStoreError if Redis fails
 */
export async function loginCookie<Data extends object = SessionData>(
  store: RedisStore<Data, never> | RedisStore<Data, string>,
  data: NoInfer<Partial<Data>> & { cookie?: never },
  options: LoginCookieOptions,
): Promise<string> {
  refuseProduction('loginCookie()')
  const access = accessOf(store as AnyRedisStore, 'loginCookie()')
  const { secret, name } = checked(options)
  checkData(data)
  const level = levelNow(neededLevel(access, options.level))
  const { sessionID, session } = newSession(store as AnyRedisStore, access, data)
  access.fields.mark(session, LEVEL_FIELD, level)
  recordLogin(access, session)
  await (store as AnyRedisStore).set(sessionID, session)
  return `${name}=${encodeURIComponent(`s:${sign(sessionID, secret)}`)}`
}

type NewSession = Required<Pick<SessionRequest, 'sessionID'>> & { session: NonNullable<SessionRequest['session']> }

/** Makes a session as the application makes it for a request. */
function newSession(store: AnyRedisStore, access: StoreAccess, data: object): NewSession {
  const req: SessionRequest = new IncomingMessage(new Socket())
  req.method = 'GET'
  req.url = '/'
  if (access.generator === undefined) {
    req.sessionID = newSessionId(req)
    const cookie = { originalMaxAge: null, httpOnly: true, path: '/' }
    store.createSession(req as never, { cookie } as never)
  } else {
    store.generate(req)
  }
  const { sessionID, session } = req
  if (!isSid(sessionID) || !session)
    throw new TypeError('loginCookie() got no session from the "genid" of the application')
  return { sessionID, session: Object.assign(session, data) }
}

function checked(options: LoginCookieOptions): { secret: string; name: string } {
  checkNames('loginCookie', options, NAMES, EXAMPLE)
  const { secret: given, name = 'connect.sid' } = options
  const secret: unknown = Array.isArray(given) ? given[0] : given
  if (typeof secret !== 'string' || secret === '') {
    throw new TypeError('"secret" option must be the secret of session() or secureSession(), or their list of secrets')
  }
  if (typeof name !== 'string' || !NAME.test(name)) throw new TypeError('"name" option must be the name of a cookie')
  return { secret, name }
}

function checkData(data: object): void {
  const names = typeof data === 'object' && data !== null ? Object.keys(data) : []
  if (names.length === 0) throw new TypeError(`loginCookie needs properties of the session: ${EXAMPLE}`)
  if (names.includes('cookie')) throw new TypeError('loginCookie takes no "cookie": session() has options for it')
}
