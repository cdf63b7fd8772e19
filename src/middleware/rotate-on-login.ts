import type { ServerResponse } from 'node:http'
import type { SessionData } from 'express-session'
import { LEVEL_FIELD } from '../hash/bookkeeping.js'
import type { AnyContent, PropertyName, SessionContent, Whatever } from '../hash/session-content.js'
import { checkNames } from '../known-options.js'
import { type Principal, userOf } from '../requests/principal.js'
import type { StoreAccess } from '../requests/store-access.js'
import { alreadyRan } from './already-ran.js'
import { beforeResponse } from './before-response.js'
import { forbidCaching } from './forbid-caching.js'
import { isHeadOut } from './held/apparent-state.js'
import { keepOption } from './keep-option.js'
import { hasJustLoggedIn, recordLogin } from './login-time.js'
import { passWithoutSession } from './pass-without-session.js'
import { type ResponseCookie, responseCookie } from './response-cookie.js'
import { isWithoutResponse } from './response-of.js'
import { headersSent } from './rotate-session.js'
import { forgetLevel, tellLevel } from './session-level.js'
import {
  abandonSession,
  hasSession,
  type Middleware,
  type SessionRequest,
  saveSession,
  storeOf,
} from './session-request.js'
import { UnseenPrincipal } from './unseen-principal.js'

export interface RotateOnLoginOptions<Data extends object = SessionData> {
  /**
   * Returns the id of the user that the session belongs to, or null or undefined if it has no user yet. The id must
   * never change, so use no name and no e-mail address. It is a string, a number, a bigint, or an object that JSON
   * turns into one of these; any other object is a TypeError at the first request. With Passport:
   * `(s) => s.passport?.user?.id`, or `(s) => s.passport?.user` if `serializeUser` keeps only the id. Default: the
   * `user` function of the store's `indexes`.
   */
  principal?: (session: SessionContent<Data>) => unknown
  /**
   * Which properties of an anonymous session a login keeps: `'all'` (default), `'none'`, or a list of names. It always
   * keeps properties that the login request itself has written.
   */
  keep?: 'all' | 'none' | readonly PropertyName<NoInfer<Data>>[]
}

/**
 * Changes the session id whenever the user of the session changes; the application's login code stays as it is. An id
 * that an attacker planted or read before the login is worthless afterwards (session fixation; OWASP ASVS 5.0, 7.2.4).
 * Mount it after `session()`.
 *
 * It deletes the old session first. If that fails, the login fails with a `SessionStoreError`, and no cookie is sent.
 * Then it saves the new session before the response leaves. When one user replaces another, or a user logs out, it
 * keeps only properties that this request wrote. If the application regenerates the session itself, as Passport does,
 * it only records the time of the login.
 *
 * @throws TypeError for unknown or malformed options
 */
export function rotateOnLogin<Data extends object = SessionData>(options: RotateOnLoginOptions<Data> = {}): Middleware {
  const { principal, keep } = checked(options)
  const pass = passWithoutSession('rotateOnLogin()')
  const unseen = new UnseenPrincipal()

  return function rotateOnLogin(request, res, next) {
    const req = request as SessionRequest
    if (!hasSession(req)) return pass(request, res, next)
    if (alreadyRan(req, 'rotateOnLogin()', pass)) return next()
    const store = storeOf(req, 'rotateOnLogin()')
    forbidCaching(req, res)
    const whose = principal ?? store.userOf
    if (whose === undefined) throw new TypeError(NO_PRINCIPAL)
    store.principal = whose
    tellLevel(req)
    const login = new Login(req, res, store, { whose, keep, unseen }, responseCookie(req, res, next, store))
    store.hooks.guard(req, () => login.settle(false))
    beforeResponse(req, res, next, 'rotate', (isLast) => login.settle(isLast))
    next()
  }
}

/** The parts that all requests share. */
interface Terms {
  readonly whose: Principal
  readonly keep: (property: string) => boolean
  readonly unseen: UnseenPrincipal
}

/** Follows the user of one request's session. */
class Login {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #store: StoreAccess
  readonly #terms: Terms
  readonly #cookie: ResponseCookie
  #before: string | undefined
  /** The level as it was proved by the user before. */
  #levelBefore: string | undefined
  /** The property that looks like a user while the principal function sees none. */
  #guess: string | undefined
  #settling: Promise<void> | undefined
  /** The save at the end of a rotation must not wait for that rotation. */
  #isSaving = false

  constructor(req: SessionRequest, res: ServerResponse, store: StoreAccess, terms: Terms, cookie: ResponseCookie) {
    this.#req = req
    this.#res = res
    this.#store = store
    this.#terms = terms
    this.#cookie = cookie
    this.#before = this.#current()
    this.#levelBefore = this.#level
    this.#guess = terms.unseen.look(this.#before, this.#session)
  }

  /**
   * Changes the id if the user has changed. Runs before any save and before the first header leaves.
   *
   * @param isLast the application has ended its response
   */
  settle(isLast: boolean): Promise<void> | undefined {
    if (this.#isSaving) return undefined
    if (this.#settling !== undefined) return this.#settling
    if (!this.#req.session || !this.#isLogin()) {
      this.#levelBefore = this.#level
      return undefined
    }
    this.#settling = this.#rotate(isLast)
      // The id may be deleted, or the user unsaved, so the rest of the request must not use the session.
      .catch((err: unknown) => {
        abandonSession(this.#req)
        throw err
      })
      .finally(() => {
        this.#settling = undefined
      })
    return this.#settling
  }

  /**
   * Whether the user has changed, or has logged in again with an application that changes ids itself: then the session
   * was made in this request.
   */
  #isLogin(): boolean {
    const now = this.#current()
    this.#lookFor(now)
    if (now !== this.#before) return true
    const { session } = this.#req
    if (now === undefined || !session || hasJustLoggedIn(session)) return false
    return !this.#store.state.isLoaded(session) && !this.#store.state.isContinued(session)
  }

  #lookFor(user: string | undefined): void {
    const guess = this.#terms.unseen.look(user, this.#session)
    if (guess !== undefined && this.#guess === undefined) this.#terms.unseen.sighted(this.#store, guess)
    this.#guess = guess
  }

  async #rotate(isLast: boolean): Promise<void> {
    const after = this.#current()
    const session = this.#req.session as NonNullable<SessionRequest['session']>
    // Nobody knows an id that was made in this request, so it need not change.
    if (this.#store.state.isLoaded(session)) {
      if (isHeadOut(this.#res) || isWithoutResponse(this.#req, this.#res)) throw headersSent()
      const isLogin = this.#before === undefined
      await this.#store.rotation.rotate(this.#req, {
        isKept: (property) => isLogin && this.#terms.keep(property),
        keepsWritten: true,
        cookie: isLogin || this.#store.state.isCookieChanged(session) ? session.cookie : undefined,
        reason: isLogin ? 'login' : after === undefined ? 'logout' : 'switch',
        mustExist: false,
        isLast,
      })
    }
    const settled = this.#req.session as typeof session
    if (this.#before !== after && this.#level === this.#levelBefore) forgetLevel(this.#store, settled)
    this.#before = after
    this.#cookie.loggedIn = settled
    if (after !== undefined) recordLogin(this.#store, settled)
    this.#isSaving = true
    const saved = saveSession(settled)
    this.#isSaving = false
    await saved
  }

  get #level(): string | undefined {
    const { session } = this.#req
    return session && this.#store.fields.marked(session, LEVEL_FIELD)
  }

  #current(): string | undefined {
    return userOf(this.#terms.whose, this.#session)
  }

  get #session(): AnyContent {
    return this.#req.session as AnyContent
  }
}

const NAMES: Record<keyof RotateOnLoginOptions, 0> = { principal: 0, keep: 0 }

function checked(options: RotateOnLoginOptions<Whatever>) {
  checkNames('rotateOnLogin', options, NAMES, 'rotateOnLogin({ principal: (session) => session.userId })')
  const { principal, keep = 'all' } = options
  if (principal !== undefined && typeof principal !== 'function') {
    throw new TypeError('"principal" option must be a function of the session')
  }
  return { principal, keep: keepOption(keep) }
}

const NO_PRINCIPAL =
  'rotateOnLogin() has to know whose a session is: give the store an index, new RedisStore({ indexes: { user: (session) ' +
  '=> ... } }), or rotateOnLogin({ principal: (session) => ... })'
