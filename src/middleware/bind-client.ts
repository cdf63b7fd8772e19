import type { ServerResponse } from 'node:http'
import type { SessionData } from 'express-session'
import { type AddressedRequest, refuseBlindTrust, unknownProxies, warnOfUntrusted } from '../requests/client-address.js'
import { noteDestroyed } from '../requests/destroyed-sessions.js'
import type { StoreAccess } from '../requests/store-access.js'
import { alreadyRan } from './already-ran.js'
import {
  type BindClientOptions,
  type BindOptions,
  checkedBindOptions,
  type Mismatch,
  type SessionBinding,
} from './binding/bind-options.js'
import { ClientBinding } from './binding/client-binding.js'
import { actionFor, clientOf, keepMismatched } from './binding/mismatch.js'
import { dropUnused } from './drop-unused.js'
import { forbidCaching } from './forbid-caching.js'
import { passWithoutSession } from './pass-without-session.js'
import { goOnAfter, hasSession, type Middleware, type SessionRequest, storeOf } from './session-request.js'
import { isStandIn } from './stand-in.js'

declare global {
  namespace Express {
    interface Request {
      /** The result of `bindClient()` for this request. */
      sessionBinding?: SessionBinding
    }
  }
}

type BoundRequest = SessionRequest & AddressedRequest & { sessionBinding?: SessionBinding }

/**
 * Binds each session to the network and the kind of browser that it began with, or that its user last logged in with. A
 * stolen cookie is then of less use elsewhere (OWASP Session Management Cheat Sheet, "Binding the Session ID to Other
 * User Properties"). Mount it right after `session()`.
 *
 * The session's first save stores the binding, as keyed digests; visitors without a session cause no write. Redis
 * commands: one script per session for `reauthenticate` or after you have replaced the secret, and one DEL for
 * `destroy`; otherwise none.
 *
 * @throws TypeError for unknown or malformed options; Error at the first request if Express trusts every proxy
 */
export function bindClient<Data extends object = SessionData>(options: BindClientOptions<Data>): Middleware {
  const resolved = checkedBindOptions(options)
  const pass = passWithoutSession('bindClient()')

  return function bindClient(request, res, next) {
    const req = request as BoundRequest
    // With its own "trustProxy", bindClient ignores which proxies Express trusts.
    const isExpressMeant = resolved.prefixes !== undefined && resolved.trustProxy === undefined
    if (isExpressMeant) refuseBlindTrust(req)
    if (!hasSession(req)) return pass(request, res, next)
    if (alreadyRan(req, 'bindClient()', pass)) return next()
    const store = storeOf(req, 'bindClient()')
    forbidCaching(req, res)
    if (isExpressMeant) {
      if (!isStandIn(res)) store.proxies.learn(req)
      const unknown = unknownProxies(req, store, undefined)
      if (unknown !== undefined) return next(unknown)
      warnOfUntrusted(req, store)
    }
    const pending = new BoundClient(req, res, next, store, resolved).settle()
    goOnAfter(pending, req, next)
  }
}

/** Compares one request with the binding of its session, and acts on the result. */
class BoundClient {
  readonly #req: BoundRequest
  readonly #res: ServerResponse
  readonly #next: (err?: unknown) => void
  readonly #store: StoreAccess
  readonly #options: BindOptions
  readonly #binding: ClientBinding

  constructor(
    req: BoundRequest,
    res: ServerResponse,
    next: (err?: unknown) => void,
    store: StoreAccess,
    options: BindOptions,
  ) {
    this.#req = req
    this.#res = res
    this.#next = next
    this.#store = store
    this.#options = options
    this.#binding = new ClientBinding(store, options.secrets, clientOf(req, store, options))
    store.hooks.onNewSession(req, (session, from) => {
      if (from === undefined) this.#binding.bind(session)
      else this.#binding.carryOver(from, session)
    })
  }

  settle(): Promise<void> | undefined {
    const session = this.#req.session as NonNullable<SessionRequest['session']>
    this.#req.sessionBinding = { verdict: 'match', action: 'none' }
    if (!this.#store.state.isLoaded(session)) {
      this.#binding.bind(session)
      return undefined
    }
    const verdict = this.#binding.compare(session)
    if (verdict !== 'match') return this.#answer(session, verdict)
    this.#binding.learn(session)
    return this.#binding.renew(session) ? this.#store.fields.saveMarks(session) : undefined
  }

  async #answer(session: NonNullable<SessionRequest['session']>, verdict: Mismatch['verdict']): Promise<void> {
    const mayEnd = !this.#binding.isOnlyHinted(session)
    const action = await actionFor(this.#req, session, verdict, this.#store, this.#options.onMismatch, mayEnd)
    if (action === 'destroy') await this.#destroy(session)
    else await keepMismatched(session, action, this.#store, this.#binding)
    this.#req.sessionBinding = { verdict, action }
  }

  /** The request gets a new session. If nobody uses it, it is not saved, and no cookie is sent. */
  async #destroy(session: NonNullable<SessionRequest['session']>): Promise<void> {
    this.#store.hooks.nameEnd(this.#req, 'mismatch')
    await new Promise<void>((resolve, reject) => {
      session.regenerate((err) => (err ? reject(err) : resolve()))
    })
    noteDestroyed(this.#req, session)
    dropUnused(this.#req, this.#res, this.#next, this.#store)
  }
}
