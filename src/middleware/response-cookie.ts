import type { ServerResponse } from 'node:http'
import type { StoreAccess } from '../requests/store-access.js'
import type { RenewalTerms } from '../rotation/renew.js'
import { beforeResponse } from './before-response.js'
import { handsOut } from './forbid-caching.js'
import { hasJustLoggedIn, isSuperseded } from './login-time.js'
import { isExpired } from './logout/expired-cookie.js'
import { abandonSession, type SessionRequest, saveSession } from './session-request.js'

/** When and how the session of a request gets its next id. */
export interface CookieRenewal extends RenewalTerms {
  /** Whether the client may get a new id with this response. */
  mayIssue(): boolean
  isDue(session: object): boolean
}

const cookies = new WeakMap<ServerResponse, ResponseCookie>()
/** Whether the `session()` of a store uses `rolling`. Unknown until a response has shown it. */
const rolling = new WeakMap<StoreAccess, boolean>()

/**
 * Makes sure that the session cookie of a response undoes nothing that other requests have done meanwhile: a login, a
 * logout, a renewal. If it would, the cookie is left out; the request's changes are saved all the same.
 */
export function responseCookie(
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
  /** Whether `session()` sends the cookie with this response, changed or not; undefined: that has to be learned. */
  isResent: boolean | undefined
  /** The session that this request has logged in. No cookie is newer than its cookie. */
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
      // In an application that changes ids itself, a thief may have sent this request, and the new session may hold
      // data of the old one. They must not get it.
      if (!this.#cameSuperseded || hasJustLoggedIn(session)) return this.#dropIfStale()
      abandonSession(this.#req)
      return undefined
    }
    // express-session sends the cookie again for every session with `rolling`, else for a changed session with an
    // expiry.
    const hasExpiry = Boolean(session.cookie.expires)
    const isToRenew = this.renewal?.isDue(session) === true && this.renewal.mayIssue()
    const isResent = this.isResent ?? this.#mayBeRolling(session)
    const isSentAnyway = isToRenew || isResent
    const isChanged = (isSentAnyway || hasExpiry) && this.#store.state.isChanged(session)
    const isSentAsChanged = hasExpiry && (isChanged || this.#store.state.hasSaved(session))
    // With an expiry, the cookie of a changed session shows nothing.
    if (!isToRenew && !isSentAsChanged) this.#learnRolling(session.id)
    return isSentAnyway || isSentAsChanged ? this.#settle(session, isChanged) : undefined
  }

  async #settle(session: NonNullable<SessionRequest['session']>, isChanged: boolean): Promise<void> {
    if (isChanged) {
      await saveSession(session)
      // The save has ended the session, and the browser deletes the cookie that express-session sends for it.
      if (isExpired(session.cookie)) return
      if (this.#store.state.hasEnded(session)) return abandonSession(this.#req)
    }
    if (this.renewal !== undefined) {
      // A login puts a renewal off, which Redis does not know.
      const everyMs = this.renewal.isDue(session) ? this.renewal.everyMs : undefined
      const terms = { ...this.renewal, everyMs }
      const standing = await this.#store.renewal.renew(this.#req, terms, this.renewal.mayIssue())
      if (standing !== 'current') abandonSession(this.#req)
    } else if (!isChanged && !(await this.#store.state.isLive(session))) {
      abandonSession(this.#req)
    }
  }

  /**
   * Sends no cookie if a login has replaced the id of this request a moment ago: another new id would undo the login.
   */
  #dropIfStale(): Promise<void> | undefined {
    const answer = this.#store.arrivals.cameWithRotatedId(this.#req)
    if (answer === false) return undefined
    return answer.then((isStale) => {
      if (isStale) abandonSession(this.#req)
    })
  }

  /**
   * Until a response has shown whether `session()` uses `rolling`, it counts as used: one Redis command more, where
   * sending a cookie that is out of date would undo a login.
   */
  #mayBeRolling(session: NonNullable<SessionRequest['session']>): boolean {
    return rolling.get(this.#store) ?? (!session.cookie.secure || mayBeSecure(this.#req))
  }

  /** express-session does not expose its `rolling` option, so this reads it from what the response carries. */
  #learnRolling(sid: string): void {
    if (this.isResent !== undefined || rolling.get(this.#store)) return
    this.#res.once('finish', () => {
      const { session } = this.#req
      if (session?.id !== sid) return
      const isSent = handsOut(this.#res.getHeader('Set-Cookie'), sid)
      if (isSent || !session.cookie.secure || mayBeSecure(this.#req)) rolling.set(this.#store, isSent)
    })
  }
}

/** Whether express-session may send a cookie that is for HTTPS only; how it decides depends on its `proxy` option. */
function mayBeSecure(req: SessionRequest & { secure?: boolean }): boolean {
  const isEncrypted = (req.socket as { encrypted?: boolean }).encrypted === true
  return isEncrypted || req.secure === true || /^\s*https\b/i.test(String(req.headers['x-forwarded-proto'] ?? ''))
}
