import type { StoreAccess } from '../store-access.js'

/** Bookkeeping field: when the user of the session last proved who he is, milliseconds since 1970 in base 36; 0: stale. */
export const LOGIN_FIELD = '@login'

/** From the next save of the session on, its login is fresh. */
export function recordLogin(store: StoreAccess, session: object): void {
  store.mark(session, LOGIN_FIELD, Date.now().toString(36))
  store.hasLoggedIn(session)
}

/** Milliseconds since the last login; Infinity if there was none. */
export function loginAgeMs(store: StoreAccess, session: object): number {
  const at = Number.parseInt(store.marked(session, LOGIN_FIELD) ?? '', 36)
  return at > 0 ? Date.now() - at : Number.POSITIVE_INFINITY
}
