import { LOGIN_FIELD } from '../hash/bookkeeping.js'
import type { StoreAccess } from '../requests/store-access.js'

const justLoggedIn = new WeakSet<object>()

/** Makes the login of a session fresh, with the session's next save. */
export function recordLogin(store: StoreAccess, session: object): void {
  justLoggedIn.add(session)
  store.fields.mark(session, LOGIN_FIELD, Date.now().toString(36))
  store.hooks.hasLoggedIn(session)
}

/**
 * Milliseconds since the last login. Infinity if there was none, or if the request came with a replaced id, which may
 * be stolen.
 */
export function loginAgeMs(store: StoreAccess, session: object): number {
  if (isSuperseded(store, session)) return Number.POSITIVE_INFINITY
  const at = Number.parseInt(store.fields.marked(session, LOGIN_FIELD) ?? '', 36)
  return at > 0 ? Date.now() - at : Number.POSITIVE_INFINITY
}

/** Whether the user has logged in during this request. */
export function hasJustLoggedIn(session: object): boolean {
  return justLoggedIn.has(session)
}

/**
 * Whether the request came with a replaced id, which is served for a short time only because the request may have been
 * on its way when the id was replaced.
 */
export function isSuperseded(store: StoreAccess, session: object): boolean {
  return store.renewal.visitOf(session)?.admission === 'superseded'
}
