import type { IncomingMessage } from 'node:http'
import type { AnyContent } from '../hash/session-content.js'
import { checkNames } from '../known-options.js'
import { type RequireFreshLoginOptions, requireFreshLogin } from '../middleware/require-fresh-login.js'
import type { Middleware } from '../middleware/session-request.js'
import { STORE_ACCESS, type StoreAccess } from '../requests/store-access.js'
import type { AnyRedisStore } from '../store.js'

/**
 * A request with a session. The type is loose, so that a function of Express's `Request` fits as well, for example one
 * that reads Passport's `req.user`.
 */
export interface RequestOfUser extends IncomingMessage {
  // biome-ignore lint/suspicious/noExplicitAny: what the application keeps in its sessions
  session: any
}

export interface SessionRouterOptions {
  /**
   * The store of the `session()` that runs before the router; with secureSession: `sessions.store`. It needs an index
   * `user`.
   */
  store: AnyRedisStore
  /**
   * Returns the id of the user who is logged in, as the index `user` stores it, or null or undefined if nobody is.
   * Called only for requests with a session. Default: applies the index `user` to the session.
   */
  user?(req: RequestOfUser): string | number | null | undefined
  /** How old the login may be when a user ends sessions, in seconds. Default 300. */
  within?: number
  /** Handles a request whose login is older. Default: an error with status 401. */
  onStale?: RequireFreshLoginOptions['onStale']
  /** Path of a page of your site that the list links back to, e.g. `/account`. Default: no link. */
  back?: string
}

/** The options of `sessionRouter`, checked and with defaults. */
export interface ResolvedSessionRouter {
  store: AnyRedisStore
  user: (req: RequestOfUser) => unknown
  freshLogin: Middleware
  back: string | undefined
}

/** The compiler keeps this map complete. Any other name is a typing mistake of the caller. */
const NAMES: Record<keyof SessionRouterOptions, 0> = { store: 0, user: 0, within: 0, onStale: 0, back: 0 }
const WITHIN_SECONDS = 300

/** @throws TypeError that names the option */
export function checkedSessionRouter(options: SessionRouterOptions): ResolvedSessionRouter {
  checkNames('sessionRouter', options, NAMES, 'sessionRouter({ store })')
  const { store, within = WITHIN_SECONDS, onStale, back } = options
  const access = (store as { [STORE_ACCESS]?: StoreAccess } | null | undefined)?.[STORE_ACCESS]
  if (access === undefined) throw new TypeError('"store" option must be a RedisStore of connect-redis-hash')
  // Needed even with a "user" option: the index finds the sessions of a user.
  const { userOf } = access
  if (userOf === undefined) {
    throw new TypeError('"store" option must have the index of users: new RedisStore({ indexes: { user: ... } })')
  }
  const { user = (req) => userOf(req.session as AnyContent) as string } = options
  if (typeof user !== 'function') throw new TypeError('"user" option must be a function of the request')
  // A second slash, or a backslash, would make it the address of another site.
  if (back !== undefined && (typeof back !== 'string' || !/^\/(?![/\\])/.test(back))) {
    throw new TypeError('"back" option must be a path of this site, e.g. "/account"')
  }
  const freshLogin = requireFreshLogin({ within, ...(onStale !== undefined && { onStale }) })
  return { store, user: (req) => user(req), freshLogin, back }
}
