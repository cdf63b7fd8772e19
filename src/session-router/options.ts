import type { IncomingMessage } from 'node:http'
import type { AnyContent } from '../hash/session-data.js'
import { checkNames } from '../known-options.js'
import { type RequireFreshLoginOptions, requireFreshLogin } from '../middleware/require-fresh-login.js'
import type { Middleware } from '../middleware/session-request.js'
import { STORE_ACCESS, type StoreAccess } from '../requests/store-access.js'
import type { AnyRedisStore } from '../store.js'

/** Loose, so that a function of Express's `Request` fits as well: of Passport's `req.user`, say. */
export interface RequestOfUser extends IncomingMessage {
  // biome-ignore lint/suspicious/noExplicitAny: what the application keeps in its sessions
  session: any
}

export interface SessionRouterOptions {
  /** The store of the `session()` in front of it, with an index `user`; of secureSession: `sessions.store`. */
  store: AnyRedisStore
  /**
   * Id of the user who is logged in, as the index `user` has it; null or undefined: nobody is. Called for requests with a
   * session only. Default: what the index `user` makes of the session.
   */
  user?(req: RequestOfUser): string | number | null | undefined
  /** Seconds a login may be old to end sessions with it. Default 300. */
  within?: number
  /** What to do with a request whose login is older. Default: a 401. */
  onStale?: RequireFreshLoginOptions['onStale']
  /** Path of the page that a link on the list leads back to, e.g. `/account`. Default: no link. */
  back?: string
}

/** Complete. */
export interface ResolvedSessionRouter {
  store: AnyRedisStore
  user: (req: RequestOfUser) => unknown
  freshLogin: Middleware
  back: string | undefined
}

/** The compiler keeps it complete; a name that is not in it is a typing mistake of the caller's. */
const NAMES: Record<keyof SessionRouterOptions, 0> = { store: 0, user: 0, within: 0, onStale: 0, back: 0 }
const WITHIN_SECONDS = 300

/** @throws TypeError that names the option */
export function checkedSessionRouter(options: SessionRouterOptions): ResolvedSessionRouter {
  checkNames('sessionRouter', options, NAMES, 'sessionRouter({ store })')
  const { store, within = WITHIN_SECONDS, onStale, back } = options
  const access = (store as { [STORE_ACCESS]?: StoreAccess } | null | undefined)?.[STORE_ACCESS]
  if (access === undefined) throw new TypeError('"store" option must be a RedisStore of connect-redis-hash')
  // Also with a "user" option: the index is where the sessions of a user are found.
  const { userOf } = access
  if (userOf === undefined) {
    throw new TypeError('"store" option must have the index of users: new RedisStore({ indexes: { user: ... } })')
  }
  const { user = (req) => userOf(req.session as AnyContent) as string } = options
  if (typeof user !== 'function') throw new TypeError('"user" option must be a function of the request')
  // A second slash, or a backslash, would make it another site.
  if (back !== undefined && (typeof back !== 'string' || !/^\/(?![/\\])/.test(back))) {
    throw new TypeError('"back" option must be a path of this site, e.g. "/account"')
  }
  const freshLogin = requireFreshLogin({ within, ...(onStale !== undefined && { onStale }) })
  return { store, user: (req) => user(req), freshLogin, back }
}
