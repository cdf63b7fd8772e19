import type { IncomingMessage } from 'node:http'
import session, { type SessionData } from 'express-session'
import type { Whatever } from '../hash/session-content.js'
import type { AnyContent } from '../hash/session-data.js'
import { type OpenSession, openSession } from '../load-session.js'
import { bindClient } from '../middleware/bind-client.js'
import { checkedBindOptions } from '../middleware/binding/bind-options.js'
import { keepOutOfCaches } from '../middleware/forbid-caching.js'
import { noteOwner } from '../middleware/held/next-owner.js'
import { renewSession } from '../middleware/renew-session.js'
import { settleCookie } from '../middleware/response-cookie.js'
import { rotateOnLogin } from '../middleware/rotate-on-login.js'
import { saveBeforeResponse } from '../middleware/save-before-response.js'
import { type Middleware, type SessionRequest, storeOf } from '../middleware/session-request.js'
import { STORE_ACCESS } from '../requests/store-access.js'
import type { RedisStore } from '../store.js'
import { inOrder } from './compose.js'
import { type ResolvedSecureSession, resolveSecureSession, type SecureSessionOptions } from './options.js'
import { isOutdatedCookie } from './outdated-cookie.js'
import { refusePlainHttp } from './refuse-plain-http.js'

/** The middleware, and what belongs to it. */
export type SecureSession<Data extends object = SessionData, Index extends string = string> = Middleware & {
  /** For `destroy`, `read` and the rest. */
  readonly store: RedisStore<Data, Index>
  /** `loadSession` for these sessions: with their cookie, secret and client binding. For WebSocket upgrades. */
  load(req: IncomingMessage): Promise<OpenSession<Data> | null>
  /** The store's: calls back once when a session ends, and returns what stops watching. */
  watch: RedisStore['watch']
}

/**
 * Sessions as OWASP and NIST recommend them, in one middleware: express-session with a `__Host-` cookie, ids of 256 bits
 * and timeouts, then `bindClient`, `rotateOnLogin`, `renewSession` and `saveBeforeResponse`.
 *
 * A response that hands out the cookie is `Cache-Control: no-store`. A request over plain HTTP that would need the cookie
 * fails with status 500, as it could not be sent; behind a TLS proxy, Express has to be told so with
 * `app.set('trust proxy', 1)`.
 *
 * @throws TypeError for unknown, malformed or too lax options, and for insecure ones where NODE_ENV is `production`
 */
export function secureSession<Data extends object = SessionData, Index extends string = never>(
  options: SecureSessionOptions<Data, Index>,
): SecureSession<Data, Index | 'user'>
export function secureSession(options: SecureSessionOptions<Whatever, Whatever>): SecureSession<Whatever, Whatever> {
  const resolved = resolveSecureSession(options)
  const { store, name, secrets, cookie, bind } = resolved
  // A cookie with an expiry is sent with every response: the browser must slide it as the store does, or active users
  // would be logged out. So is one that is signed with an old secret.
  const rolling = expressSession(resolved, true)
  const sessions = cookie.maxAge === undefined ? expressSession(resolved, false) : rolling
  const guards = inOrder(guardsOf(resolved))
  const handled = new WeakSet<object>()
  const { generator } = store[STORE_ACCESS]

  const middleware: Middleware = function secureSession(request, res, next) {
    const req = request as SessionRequest
    // Used for the whole application and for a router of it.
    if (handled.has(req)) return next()
    if (req.session !== undefined) return next(new Error(ANOTHER_SESSION))
    if (store[STORE_ACCESS].generator !== generator) return next(new Error(ANOTHER_GENERATOR))
    handled.add(req)
    // Before the session is loaded: meanwhile, another request may fail whose `next` this was.
    noteOwner(next, req)
    const load = isOutdatedCookie(req, name, secrets) ? rolling : sessions
    load(req, res, (err) => {
      // While the store is away, with onUnavailable: 'anonymous', there is no session.
      if (err || !req.session) return next(err)
      const access = storeOf(req, 'secureSession()')
      keepOutOfCaches(req, res)
      refusePlainHttp(req, res, next, access)
      if (load === rolling) settleCookie(req, res, next, access).isResent = true
      guards(req, res, next)
    })
  }
  const opening = {
    store: store[STORE_ACCESS],
    secrets,
    name,
    bind: bind === false ? undefined : checkedBindOptions(bind),
  }
  return Object.assign(middleware, {
    store,
    load: (req: IncomingMessage) => openSession(req, opening),
    watch: (...args: Parameters<RedisStore['watch']>) => store.watch(...args),
  })
}

/** @param rolling the cookie is sent with every response, not only when it is new */
function expressSession({ store, secrets, cookie, name, genid }: ResolvedSecureSession, rolling: boolean): Middleware {
  const middleware = session({
    store,
    secret: [...secrets],
    name,
    genid,
    cookie: { ...cookie },
    rolling,
    // The two that make express-session save what nobody changed: sessions of visitors who never log in, and old ones
    // over newer ones.
    saveUninitialized: false,
    resave: false,
  })
  return middleware as Middleware
}

function guardsOf({ user, keep, bind, renew }: ResolvedSecureSession): Middleware[] {
  return [
    ...(bind === false ? [] : [bindClient(bind)]),
    rotateOnLogin<Whatever>({ principal: atOnce(user), ...(keep !== undefined && { keep }) }),
    ...(renew === false ? [] : [renewSession(renew)]),
    saveBeforeResponse(),
  ]
}

/** All promises look alike: one user would never be told from another, and no login would change the id. */
function atOnce(user: ResolvedSecureSession['user']): (session: AnyContent) => unknown {
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
