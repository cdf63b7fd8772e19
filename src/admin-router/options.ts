import type { IncomingMessage, ServerResponse } from 'node:http'
import { ADMIN_ACCESS, type AdminAccess } from '../admin/admin-access.js'
import type { SessionEvents } from '../events.js'
import { checkNames } from '../known-options.js'
import type { AnyRedisStore } from '../store.js'

/** The request that `authorize` gets, as Express or another framework passes it to the router. */
// biome-ignore lint/suspicious/noExplicitAny: middleware of the application has put into it whatever tells who this is
export type AdminRequest = IncomingMessage & Record<string, any>

export interface AdminRouterOptions {
  /** The store whose sessions the pages show; with secureSession: `sessions.store`. */
  store: AnyRedisStore
  /**
   * Returns the name of the person who makes the request, or a promise of it; audit entries show it as `who`. If it
   * returns false, null, undefined, `''` or 0, the request is refused with status 403, unless the function has answered
   * it with `res`. Everybody it admits can see and end all sessions. Required.
   */
  authorize(req: AdminRequest, res: ServerResponse): unknown
  /** true: the router refuses every request that would end sessions. Default false. */
  readOnly?: boolean
  /** Returns true for each property whose values the pages may show. Default: they show only names and sizes. */
  showValue?(property: string): boolean
  /**
   * The router calls it with each action of a person, before it sends the answer, and awaits a promise. If it fails,
   * the request fails. The store emits the same entry as the event `audit`.
   */
  audit?(entry: SessionEvents['audit']): unknown
  /**
   * Path under which browsers reach the router, e.g. `/admin/sessions`. Default: links are relative, which works unless
   * a proxy changes more of the path than its beginning.
   */
  base?: string
}

/** The options of `adminRouter`, checked and with defaults. */
export interface ResolvedAdminRouter {
  access: AdminAccess
  store: AnyRedisStore
  authorize: AdminRouterOptions['authorize']
  readOnly: boolean
  showValue: (property: string) => boolean
  audit: NonNullable<AdminRouterOptions['audit']>
  /** Ends with a slash. */
  base: string | undefined
}

/** The compiler keeps this map complete. Any other name is a typing mistake of the caller. */
const NAMES: Record<keyof AdminRouterOptions, 0> = {
  store: 0,
  authorize: 0,
  readOnly: 0,
  showValue: 0,
  audit: 0,
  base: 0,
}

/** @throws TypeError that names the option */
export function checkedAdminRouter(options: AdminRouterOptions): ResolvedAdminRouter {
  checkNames('adminRouter', options, NAMES, 'adminRouter({ store, authorize })')
  const { store, authorize, readOnly = false, showValue = () => false, audit = () => undefined, base } = options
  const access = (store as { [ADMIN_ACCESS]?: AdminAccess } | null | undefined)?.[ADMIN_ACCESS]
  if (access === undefined) throw new TypeError('"store" option must be a RedisStore of connect-redis-hash')
  if (typeof authorize !== 'function') {
    throw new TypeError('"authorize" option must be a function of the request that returns who makes it, or false')
  }
  if (typeof readOnly !== 'boolean') throw new TypeError('"readOnly" option must be true or false')
  if (typeof showValue !== 'function') {
    throw new TypeError('"showValue" option must be a function of the name of a property that returns true or false')
  }
  if (typeof audit !== 'function') throw new TypeError('"audit" option must be a function of an audit entry')
  // A second slash, or a backslash, would make it the address of another site.
  if (base !== undefined && (typeof base !== 'string' || !/^\/(?![/\\])[^?#]*$/.test(base))) {
    throw new TypeError('"base" option must be a path of this site, e.g. "/admin/sessions"')
  }
  return {
    ...{ access, store, authorize, readOnly, audit },
    showValue: (property) => showValue(property) === true,
    base: base === undefined ? undefined : base.replace(/\/*$/, '/'),
  }
}
