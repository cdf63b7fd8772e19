import type { ServerResponse } from 'node:http'
import { checkNames } from '../known-options.js'
import type { SessionContent } from '../record/session-data.js'
import type { StoreAccess } from '../store-access.js'
import { beforeResponse } from './before-response.js'
import { keepOption } from './keep-option.js'
import { recordLogin } from './login-time.js'
import { passWithoutSession } from './mounted-too-early.js'
import { hasPassed } from './once-per-request.js'
import { isHeadOut } from './pretence.js'
import { headersSent } from './rotate-session.js'
import { abandonSession, type Middleware, type SessionRequest, saveSession, storeOf } from './session-request.js'
import { type ResponseCookie, settleCookie } from './settle-cookie.js'

export interface RotateOnLoginOptions {
  /**
   * Who the session belongs to; null or undefined: nobody yet. Passport: `(s) => s.passport?.user`. Default: the `user`
   * of the store's `indexes`.
   */
  principal?: (session: SessionContent) => unknown
  /**
   * Which properties of an anonymous session a login keeps: `'all'` (default), `'none'`, or their names. What the
   * request that logs in has written itself is always kept.
   */
  keep?: 'all' | 'none' | readonly string[]
}

/**
 * Changes the session id whenever the user on the session changes, with no change to the application's login code: an id
 * that an attacker has planted or read before leads nowhere afterwards (session fixation; OWASP ASVS 5.0, 7.2.4).
 *
 * The old session is deleted first; if that fails, so does the login, with a `SessionStoreError` and without a cookie.
 * The new one is saved before the response leaves. From one user to another, and from a user to nobody, only what this
 * very request wrote is kept. Does nothing where the application has regenerated the session itself, as Passport does.
 *
 * @throws TypeError for unknown or malformed options
 */
export function rotateOnLogin(options: RotateOnLoginOptions = {}): Middleware {
  const { principal, keep } = checked(options)
  const pass = passWithoutSession('rotateOnLogin()')

  return function rotateOnLogin(request, res, next) {
    const req = request as SessionRequest
    if (req.session === undefined || req.session === null) return pass(request, res, next)
    if (hasPassed(req, 'rotateOnLogin()', pass)) return next()
    const store = storeOf(req, 'rotateOnLogin()')
    const whose = principal ?? store.userOf
    if (whose === undefined) throw new TypeError(NO_PRINCIPAL)
    const login = new Login(req, res, store, whose, keep, settleCookie(req, res, next, store))
    store.guard(req, () => login.settle())
    beforeResponse(req, res, next, 'rotate', () => login.settle())
    next()
  }
}

/** One request, and who its session belonged to when it came. */
class Login {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #store: StoreAccess
  readonly #principal: (session: SessionContent) => unknown
  readonly #keep: (property: string) => boolean
  readonly #cookie: ResponseCookie
  #before: string | undefined
  #settling: Promise<void> | undefined
  /** The save that ends a rotation must not wait for the rotation. */
  #isSaving = false

  constructor(
    req: SessionRequest,
    res: ServerResponse,
    store: StoreAccess,
    principal: (session: SessionContent) => unknown,
    keep: (property: string) => boolean,
    cookie: ResponseCookie,
  ) {
    this.#req = req
    this.#res = res
    this.#store = store
    this.#principal = principal
    this.#keep = keep
    this.#cookie = cookie
    this.#before = this.#current()
  }

  /** Before anything is saved and before the first header leaves: if the user has changed, so does the id. */
  settle(): Promise<void> | undefined {
    if (this.#isSaving) return undefined
    if (this.#settling !== undefined) return this.#settling
    if (!this.#req.session || this.#current() === this.#before) return undefined
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

  async #rotate(): Promise<void> {
    const after = this.#current()
    const session = this.#req.session as NonNullable<SessionRequest['session']>
    // An id made in this very request is known to nobody yet.
    if (this.#store.isLoaded(session)) {
      if (isHeadOut(this.#res)) throw headersSent()
      const isLogin = this.#before === undefined
      const written = new Set(await this.#store.writtenProperties(session))
      const own = Object.keys(session).filter((property) => property !== 'cookie')
      await this.#store.rotate(this.#req, {
        properties: own.filter((property) => written.has(property) || (isLogin && this.#keep(property))),
        isKept: (property) => isLogin && this.#keep(property),
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

  /** Comparable; undefined for nobody. */
  #current(): string | undefined {
    const who = this.#principal(this.#req.session as unknown as SessionContent)
    if (who === undefined || who === null || who === '') return undefined
    // 7 and '7' are one user, as in an index.
    const text = typeof who === 'object' ? JSON.stringify(who) : textOf(who)
    if (text === undefined || UNTELLING.has(text)) throw new TypeError(NO_ID)
    return text
  }
}

const NAMES: Record<keyof RotateOnLoginOptions, 0> = { principal: 0, keep: 0 }

function checked(options: RotateOnLoginOptions) {
  checkNames('rotateOnLogin', options, NAMES, 'rotateOnLogin({ principal: (session) => session.userId })')
  const { principal, keep = 'all' } = options
  if (principal !== undefined && typeof principal !== 'function') {
    throw new TypeError('"principal" option must be a function of the session')
  }
  return { principal, keep: keepOption(keep) }
}

function textOf(who: unknown): string | undefined {
  return typeof who === 'string' || typeof who === 'bigint' || Number.isFinite(who)
    ? JSON.stringify(String(who))
    : undefined
}

/** What users cannot be told apart by: an object that JSON does not show. */
const UNTELLING: ReadonlySet<string> = new Set(['null', '{}', '[]'])

const NO_ID = 'rotateOnLogin() has to tell users apart: its principal must return an id, or null for nobody'

const NO_PRINCIPAL =
  'rotateOnLogin() has to know whose a session is: give the store an index, new RedisStore({ indexes: { user: (session) ' +
  '=> ... } }), or rotateOnLogin({ principal: (session) => ... })'
