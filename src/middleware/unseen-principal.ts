import type { AnyContent } from '../hash/session-data.js'
import { guessPrincipal } from '../requests/principal.js'
import type { StoreAccess } from '../requests/store-access.js'

/** Who asks for a password and then for a code has a user in the session before there is a principal. */
const ENOUGH = 3

/**
 * Finds out that a principal looks in the wrong place: sessions get what is called a user everywhere, and it has never returned
 * anybody. No login then changes the id, and nobody notices (session fixation). One for each `rotateOnLogin`; once somebody has been
 * seen, it costs nothing any more.
 */
export class UnseenPrincipal {
  #isOver = false
  #sightings = 0

  /** @returns what in the session looks like a user, while the principal sees nobody */
  look(user: string | undefined, session: AnyContent): string | undefined {
    if (user !== undefined) this.#isOver = true
    return this.#isOver ? undefined : guessPrincipal(session)
  }

  /** A request has given its session what looks like a user. */
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
