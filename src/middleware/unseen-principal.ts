import type { AnyContent } from '../hash/session-content.js'
import { guessPrincipal } from '../requests/principal.js'
import type { StoreAccess } from '../requests/store-access.js'

/**
 * One sighting is no proof: an application that asks for a password and then for a code stores a user in the session
 * before the principal function returns one.
 */
const ENOUGH = 3

/**
 * Detects a principal function that reads the wrong property: sessions get a property that usually names a user, but
 * the function has never returned one. No login changes the id then, and nobody notices (session fixation). Each
 * `rotateOnLogin` has one detector; it costs nothing once the function has returned a user.
 */
export class UnseenPrincipal {
  #isOver = false
  #sightings = 0

  /** @returns the property that looks like a user, while the principal function sees none */
  look(user: string | undefined, session: AnyContent): string | undefined {
    if (user !== undefined) this.#isOver = true
    return this.#isOver ? undefined : guessPrincipal(session)
  }

  /** Counts a request that has put something that looks like a user into its session. */
  sighted(store: StoreAccess, guess: string): void {
    this.#sightings += 1
    if (this.#isOver || this.#sightings < ENOUGH) return
    this.#isOver = true
    store.announce('warning', { code: 'principal-never-seen', message: `${NEVER_SEEN}: ${guess}` })
  }
}

const NEVER_SEEN =
  'sessions get a user, but the principal of rotateOnLogin (the "user" of secureSession, or the index "user") has never returned ' +
  'anybody, so that no login changes the session id (session fixation). It should be'
