import type { StoreAccess } from '../requests/store-access.js'

/** Bookkeeping field: when the user of the session last proved who he is, milliseconds since 1970 in base 36; 0: stale. */
export const LOGIN_FIELD = '@login'

const justLoggedIn = new WeakSet<object>()

/** From the next save of the session on, its login is fresh. */
export function recordLogin(store: StoreAccess, session: object): void {
  justLoggedIn.add(session)
  store.fields.mark(session, LOGIN_FIELD, Date.now().toString(36))
  store.hooks.hasLoggedIn(session)
}

/** Milliseconds since the last login; Infinity if there was none, or the id is out of date and may be a stolen one. */
export function loginAgeMs(store: StoreAccess, session: object): number {
  if (isSuperseded(store, session)) return Number.POSITIVE_INFINITY
  const at = Number.parseInt(store.fields.marked(session, LOGIN_FIELD) ?? '', 36)
  return at > 0 ? Date.now() - at : Number.POSITIVE_INFINITY
}

/** Whether the user of the session has proved who he is in this very request. */
export function hasJustLoggedIn(session: object): boolean {
  return justLoggedIn.has(session)
}

/** Whether the request came with an id that has been replaced, and is served only because it may have been under way. */
export function isSuperseded(store: StoreAccess, session: object): boolean {
  return store.renewal.visitOf(session)?.admission === 'superseded'
}
