import type { ServerResponse } from 'node:http'
import type { StoreAccess } from '../requests/store-access.js'
import type { RenewalTerms } from '../rotation/renew.js'
import { beforeResponse } from './before-response.js'
import { handsOut } from './forbid-caching.js'
import { hasJustLoggedIn, isSuperseded } from './login-time.js'
import { abandonSession, type SessionRequest, saveSession } from './session-request.js'

/** When and how the session of a request may get its next id. */
export interface CookieRenewal extends RenewalTerms {
  /** Whether this visitor, on this occasion, may be sent one. */
  mayIssue(): boolean
  isDue(session: object): boolean
}

const cookies = new WeakMap<ServerResponse, ResponseCookie>()
/** Stores whose `session()` has shown that it has `rolling`: it sent the cookie of an unchanged session. */
const rolling = new WeakSet<StoreAccess>()

/**
 * Sees to it, before the first header leaves, that the session cookie of a response undoes nothing that other requests
 * have done meanwhile: a login, a logout, a renewal. What the request has changed is saved, and the cookie left out.
 */
export function settleCookie(
  req: SessionRequest,
  res: ServerResponse,
  next: (err?: unknown) => void,
  store: StoreAccess,
): ResponseCookie {
  const known = cookies.get(res)
  if (known !== undefined) return known
  const cookie = new ResponseCookie(req, res, store)
  cookies.set(res, cookie)
  beforeResponse(req, res, next, 'cookie', () => cookie.settle())
  return cookie
}

export class ResponseCookie {
  renewal: CookieRenewal | undefined
  /** Whether `session()` is known to send the cookie with this response, changed or not. */
  isResent = false
  /** The session that this request has logged in: its cookie is the newest there is. */
  loggedIn: object | undefined
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #store: StoreAccess
  readonly #cameSuperseded: boolean

  constructor(req: SessionRequest, res: ServerResponse, store: StoreAccess) {
    this.#req = req
    this.#res = res
    this.#store = store
    this.#cameSuperseded = Boolean(req.session) && isSuperseded(store, req.session as object)
  }

  settle(): Promise<void> | undefined {
    const { session } = this.#req
    if (!session || session === this.loggedIn) return undefined
    if (!this.#store.state.isLoaded(session)) {
      // A thief's, perhaps, of an application that changes ids itself: what it has copied must not go with him.
      if (!this.#cameSuperseded || hasJustLoggedIn(session)) return this.#dropIfStale()
      abandonSession(this.#req)
      return undefined
    }
    // express-session sends the cookie of a session with an expiry again if it has changed, or any with `rolling`.
    const hasExpiry = Boolean(session.cookie.expires)
    const isToRenew = this.renewal?.isDue(session) === true && this.renewal.mayIssue()
    const isSentAnyway = isToRenew || this.isResent || rolling.has(this.#store)
    const isChanged = (isSentAnyway || hasExpiry) && this.#store.state.isChanged(session)
    const isSentAsChanged = hasExpiry && (isChanged || this.#store.state.hasSaved(session))
    if (isSentAnyway || isSentAsChanged) return this.#settle(session, isChanged)
    this.#res.once('finish', () => this.#learnRolling(session.id))
    return undefined
  }

  async #settle(session: NonNullable<SessionRequest['session']>, isChanged: boolean): Promise<void> {
    if (isChanged) {
      await saveSession(session)
      if (this.#store.state.hasEnded(session)) return abandonSession(this.#req)
    }
    if (this.renewal !== undefined) {
      const standing = await this.#store.renewal.renew(this.#req, this.renewal, this.renewal.mayIssue())
      if (standing !== 'current') abandonSession(this.#req)
    } else if (!isChanged && !(await this.#store.state.isLive(session))) {
      abandonSession(this.#req)
    }
  }

  /** A request with an id that a login has replaced a moment ago must not answer with yet another one. */
  #dropIfStale(): Promise<void> | undefined {
    const answer = this.#store.arrivals.cameWithRotatedId(this.#req)
    if (answer === false) return undefined
    return answer.then((isStale) => {
      if (isStale) abandonSession(this.#req)
    })
  }

  /** Whether `session()` has `rolling` shows only in what it does. */
  #learnRolling(sid: string): void {
    if (this.#req.session?.id !== sid) return
    if (handsOut(this.#res.getHeader('Set-Cookie'), sid)) rolling.add(this.#store)
  }
}
