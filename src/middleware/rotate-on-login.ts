import type { ServerResponse } from 'node:http'
import type { SessionData } from 'express-session'
import type { PropertyName, SessionContent, Whatever } from '../hash/session-content.js'
import type { AnyContent } from '../hash/session-data.js'
import { checkNames } from '../known-options.js'
import { type Principal, userOf } from '../requests/principal.js'
import type { StoreAccess } from '../requests/store-access.js'
import { hasPassed } from './already-ran.js'
import { beforeResponse } from './before-response.js'
import { keepOutOfCaches } from './forbid-caching.js'
import { isHeadOut } from './held/pretence.js'
import { keepOption } from './keep-option.js'
import { hasJustLoggedIn, recordLogin } from './login-time.js'
import { passWithoutSession } from './pass-without-session.js'
import { type ResponseCookie, settleCookie } from './response-cookie.js'
import { headersSent } from './rotate-session.js'
import {
  abandonSession,
  hasSession,
  type Middleware,
  type SessionRequest,
  saveSession,
  storeOf,
} from './session-request.js'
import { isStandIn } from './stand-in.js'
import { UnseenPrincipal } from './unseen-principal.js'

export interface RotateOnLoginOptions<Data extends object = SessionData> {
  /**
   * The id of whom the session belongs to, which never changes (no name, no e-mail address); null or undefined: nobody yet. A
   * string, a number, a bigint, or what JSON makes one of these; any other object is a TypeError at the first request. Passport:
   * `(s) => s.passport?.user?.id`, or `(s) => s.passport?.user` where `serializeUser` keeps the id alone. Default: the `user` of
   * the store's `indexes`.
   */
  principal?: (session: SessionContent<Data>) => unknown
  /**
   * Which properties of an anonymous session a login keeps: `'all'` (default), `'none'`, or their names. What the
   * request that logs in has written itself is always kept.
   */
  keep?: 'all' | 'none' | readonly PropertyName<NoInfer<Data>>[]
}

/**
 * Changes the session id whenever the user on the session changes, with no change to the application's login code: an id
 * that an attacker has planted or read before leads nowhere afterwards (session fixation; OWASP ASVS 5.0, 7.2.4).
 *
 * The old session is deleted first; if that fails, so does the login, with a `SessionStoreError` and without a cookie.
 * The new one is saved before the response leaves. From one user to another, and from a user to nobody, only what this
 * very request wrote is kept. Where the application has regenerated the session itself, as Passport does, it only notes the login.
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
    if (hasPassed(req, 'rotateOnLogin()', pass)) return next()
    const store = storeOf(req, 'rotateOnLogin()')
    keepOutOfCaches(req, res)
    const whose = principal ?? store.userOf
    if (whose === undefined) throw new TypeError(NO_PRINCIPAL)
    store.principal = whose
    const login = new Login(req, res, store, { whose, keep, unseen }, settleCookie(req, res, next, store))
    store.guard(req, () => login.settle())
    beforeResponse(req, res, next, 'rotate', () => login.settle())
    next()
  }
}

/** What is the same for every request. */
interface Terms {
  readonly whose: Principal
  readonly keep: (property: string) => boolean
  readonly unseen: UnseenPrincipal
}

/** One request, and who its session belonged to when it came. */
class Login {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #store: StoreAccess
  readonly #terms: Terms
  readonly #cookie: ResponseCookie
  #before: string | undefined
  /** What in the session looks like a user, though it is nobody's. */
  #guess: string | undefined
  #settling: Promise<void> | undefined
  /** The save that ends a rotation must not wait for the rotation. */
  #isSaving = false

  constructor(req: SessionRequest, res: ServerResponse, store: StoreAccess, terms: Terms, cookie: ResponseCookie) {
    this.#req = req
    this.#res = res
    this.#store = store
    this.#terms = terms
    this.#cookie = cookie
    this.#before = this.#current()
    this.#guess = terms.unseen.look(this.#before, this.#session)
  }

  /** Before anything is saved and before the first header leaves: if the user has changed, so does the id. */
  settle(): Promise<void> | undefined {
    if (this.#isSaving) return undefined
    if (this.#settling !== undefined) return this.#settling
    if (!this.#req.session || !this.#isLogin()) return undefined
    this.#settling = this.#rotate()
      // The id may be gone, or the user not saved: whatever else the request does, it does without a session.
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
   * Whether there is another user than before, or one for whom the application has made a session in this very request: who logs in
   * again, where it changes ids itself.
   */
  #isLogin(): boolean {
    const now = this.#current()
    this.#lookFor(now)
    if (now !== this.#before) return true
    const { session } = this.#req
    if (now === undefined || !session || hasJustLoggedIn(session)) return false
    return !this.#store.isLoaded(session) && !this.#store.isContinued(session)
  }

  #lookFor(user: string | undefined): void {
    const guess = this.#terms.unseen.look(user, this.#session)
    if (guess !== undefined && this.#guess === undefined) this.#terms.unseen.sighted(this.#store, guess)
    this.#guess = guess
  }

  async #rotate(): Promise<void> {
    const after = this.#current()
    const session = this.#req.session as NonNullable<SessionRequest['session']>
    // An id made in this very request is known to nobody yet.
    if (this.#store.isLoaded(session)) {
      if (isHeadOut(this.#res) || isStandIn(this.#res)) throw headersSent()
      const isLogin = this.#before === undefined
      const written = new Set(await this.#store.writtenProperties(session))
      const own = Object.keys(session).filter((property) => property !== 'cookie')
      await this.#store.rotate(this.#req, {
        properties: own.filter((property) => written.has(property) || (isLogin && this.#terms.keep(property))),
        isKept: (property) => isLogin && this.#terms.keep(property),
        cookie: isLogin || this.#store.isCookieChanged(session) ? session.cookie : undefined,
        reason: isLogin ? 'login' : after === undefined ? 'logout' : 'switch',
        mustExist: false,
      })
    }
    this.#before = after
    const settled = this.#req.session as typeof session
    this.#cookie.loggedIn = settled
    if (after !== undefined) recordLogin(this.#store, settled)
    this.#isSaving = true
    const saved = saveSession(settled)
    this.#isSaving = false
    await saved
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
