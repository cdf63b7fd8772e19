import type { IncomingMessage, ServerResponse } from 'node:http'
import session, { type SessionData } from 'express-session'
import type { AnyContent, Whatever } from '../hash/session-content.js'
import { type OpenSession, openSession } from '../load-session.js'
import { bindClient } from '../middleware/bind-client.js'
import { bindDevice } from '../middleware/bind-device.js'
import { checkedBindOptions } from '../middleware/binding/bind-options.js'
import { checkedDeviceOptions } from '../middleware/device/device-options.js'
import { forbidCaching } from '../middleware/forbid-caching.js'
import { noteOwner } from '../middleware/held/next-owner.js'
import { expireOnLogout } from '../middleware/logout/expire-on-logout.js'
import { renewSession } from '../middleware/renew-session.js'
import { responseCookie } from '../middleware/response-cookie.js'
import { rotateOnLogin } from '../middleware/rotate-on-login.js'
import { saveBeforeResponse } from '../middleware/save-before-response.js'
import { setDefaultLevel } from '../middleware/session-level.js'
import { goOnAfter, type Middleware, type SessionRequest, storeOf } from '../middleware/session-request.js'
import { STORE_ACCESS } from '../requests/store-access.js'
import type { Adopted } from '../session/adopt.js'
import type { RedisStore } from '../store.js'
import { compose } from './compose.js'
import { keepPrivate } from './keep-private.js'
import { OldCookie } from './old-cookie.js'
import { type ResolvedSecureSession, resolveSecureSession, type SecureSessionOptions } from './options.js'
import { isOutdatedCookie } from './outdated-cookie.js'
import { refusePlainHttp } from './refuse-plain-http.js'

/** The middleware, with its store and two functions for its sessions. */
export type SecureSession<Data extends object = SessionData, Index extends string = string> = Middleware & {
  /** The store of these sessions, for `destroyBy`, `read` and its other methods. */
  readonly store: RedisStore<Data, Index>
  /**
   * Loads the session of a request that does not go through Express, such as a WebSocket upgrade. Works like
   * `loadSession`, with the cookie, secret, client binding and device binding of this middleware. Resolves to null if
   * there is no session.
   */
  load(req: IncomingMessage): Promise<OpenSession<Data> | null>
  /** The store's `watch`: calls a function once when a session ends, and returns a function that stops watching. */
  watch: RedisStore['watch']
}

/**
 * Sessions as OWASP and NIST recommend them, in one middleware: express-session with a `__Host-` cookie, ids of 256
 * bits and timeouts, then `bindDevice` (with the option `device`), `bindClient`, `rotateOnLogin`, `renewSession` and
 * `saveBeforeResponse`.
 *
 * A response that carries the cookie gets `Cache-Control: no-store`. So does every response to a logged-in user, unless
 * the handler sets `Cache-Control` itself. If a request has ended its session, the response makes the browser delete
 * the cookies. A request over plain HTTP fails with status 500 if its response needs the cookie, because the cookie
 * cannot be sent. Behind a TLS proxy, `app.set('trust proxy', 1)` makes Express recognise the visitor's TLS connection.
 *
 * @throws TypeError for unknown, malformed or too lax options, and for insecure ones if NODE_ENV is `production`
 */
export function secureSession<Data extends object = SessionData, Index extends string = never>(
  options: SecureSessionOptions<Data, Index>,
): SecureSession<Data, Index | 'user'>
export function secureSession(options: SecureSessionOptions<Whatever, Whatever>): SecureSession<Whatever, Whatever> {
  const resolved = resolveSecureSession(options)
  const { store, name, secrets, bind, device } = resolved
  const sessions = expressSessions(resolved)
  const bindToDevice = device && bindDevice(device)
  const guards = compose(guardsOf(resolved, bindToDevice))
  const oldCookie = resolved.acceptFrom && new OldCookie(store[STORE_ACCESS], resolved.acceptFrom, resolved)
  const handled = new WeakSet<object>()
  const { generator } = store[STORE_ACCESS]
  const whose = refusePromise(resolved.user)
  store[STORE_ACCESS].heedDestroy()
  setDefaultLevel(store[STORE_ACCESS], resolved.level)

  const middleware: Middleware = function secureSession(request, res, next) {
    const req = request as SessionRequest
    // The application may mount it for everything, and again for a router.
    if (handled.has(req)) return next()
    if (req.session !== undefined) return next(new Error(ANOTHER_SESSION))
    if (store[STORE_ACCESS].generator !== generator) return next(new Error(ANOTHER_GENERATOR))
    handled.add(req)
    // Note the owner before the session is loaded: meanwhile the framework may give this `next` to another request,
    // which may fail.
    noteOwner(next, req)
    const adopting = oldCookie?.adopt(req)
    if (adopting === undefined) return enter(req, res, next, null)
    const isAnonymous = store[STORE_ACCESS].timeouts.onUnavailable === 'anonymous'
    adopting.then(
      (adopted) => enter(req, res, next, adopted),
      // As without an old cookie, the request goes on without a session, or fails.
      (err: unknown) => (isAnonymous ? next() : next(err)),
    )
  }

  /** @param adopted the session that the visitor's old cookie has led to */
  function enter(
    req: SessionRequest,
    res: ServerResponse,
    next: (err?: unknown) => void,
    adopted: Adopted | null,
  ): void {
    const isResent = adopted !== null || isOutdatedCookie(req, name, secrets)
    const { load, isRolling } = isResent ? sessions.rolling : sessions.usual
    const loaded = (err?: unknown) => {
      if (err) return next(err)
      // With onUnavailable: 'anonymous', there is no session while the store is unavailable. A browser that refreshes has
      // to hear of that.
      if (!req.session) return bindToDevice === undefined ? next() : bindToDevice(req, res, next)
      const access = storeOf(req, 'secureSession()')
      forbidCaching(req, res)
      refusePlainHttp(req, res, next, access)
      responseCookie(req, res, next, access).isResent = isRolling
      expireOnLogout(req, res, next, name)
      keepPrivate(req, res, next, whose)
      if (oldCookie === undefined) return guards(req, res, next)
      goOnAfter(oldCookie.settle(req, res, adopted), req, (failure) =>
        failure ? next(failure) : guards(req, res, next),
      )
    }
    if (oldCookie === undefined || adopted === null) load(req, res, loaded)
    else oldCookie.as(req, adopted, () => load(req, res, loaded))
  }

  /** Outside Express, too, the old cookie is good; the new one comes with a response. */
  async function open(req: IncomingMessage): Promise<OpenSession<Whatever> | null> {
    const adopted = await oldCookie?.adopt(req)
    if (oldCookie === undefined || !adopted) return openSession(req, opening)
    return oldCookie.as(req, adopted, () => openSession(req, opening))
  }

  const opening = {
    store: store[STORE_ACCESS],
    secrets,
    name,
    bind: bind === false ? undefined : checkedBindOptions(bind),
    device: device && checkedDeviceOptions(device),
  }
  return Object.assign(middleware, {
    store,
    load: oldCookie === undefined ? (req: IncomingMessage) => openSession(req, opening) : open,
    watch: (...args: Parameters<RedisStore['watch']>) => store.watch(...args),
  })
}

interface ExpressSession {
  load: Middleware
  /** Whether the cookie is sent with every response. */
  isRolling: boolean
}

/**
 * A cookie with an expiry is sent with every response: it must last in the browser as long as the session does in the
 * store, or active users would be logged out. A cookie that is signed with an old secret is sent again, too.
 */
function expressSessions(resolved: ResolvedSecureSession): Record<'usual' | 'rolling', ExpressSession> {
  const rolling = { load: expressSession(resolved, true), isRolling: true }
  if (resolved.cookie.maxAge !== undefined) return { usual: rolling, rolling }
  return { usual: { load: expressSession(resolved, false), isRolling: false }, rolling }
}

/** @param rolling whether the cookie is sent with every response instead of only when it is new */
function expressSession({ store, secrets, cookie, name, genid }: ResolvedSecureSession, rolling: boolean): Middleware {
  const middleware = session({
    store,
    secret: [...secrets],
    name,
    genid,
    cookie: { ...cookie },
    rolling,
    // With true, express-session would save unchanged sessions: those of visitors who never log in, and old ones over
    // newer ones.
    saveUninitialized: false,
    resave: false,
  })
  return middleware as Middleware
}

function guardsOf(
  { user, keep, bind, renew }: ResolvedSecureSession,
  bindToDevice: Middleware | undefined,
): Middleware[] {
  return [
    // First, so that a thief without the key cannot make bindClient end the session.
    ...(bindToDevice === undefined ? [] : [bindToDevice]),
    ...(bind === false ? [] : [bindClient(bind)]),
    rotateOnLogin<Whatever>({ principal: refusePromise(user), ...(keep !== undefined && { keep }) }),
    ...(renew === false ? [] : [renewSession(renew)]),
    saveBeforeResponse(),
  ]
}

/** Refuses a `user` function that returns a promise. All promises look the same, so no login would change the id. */
function refusePromise(user: ResolvedSecureSession['user']): (session: AnyContent) => unknown {
  return (held) => {
    const id: unknown = user(held)
    if (typeof (id as PromiseLike<unknown> | null | undefined)?.then !== 'function') return id
    throw new TypeError('"user" option must return the user at once, not a promise')
  }
}

const ANOTHER_SESSION =
  'secureSession() has to be the only session middleware: take app.use(session(...)) and other secureSession() out'

const ANOTHER_GENERATOR =
  'another session() uses the store of secureSession(), and would make its ids and cookies: give it a store of its own'
