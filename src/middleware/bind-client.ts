import type { ServerResponse } from 'node:http'
import type { SessionData } from 'express-session'
import type { SessionContent } from '../hash/session-content.js'
import {
  type AddressedRequest,
  refuseBlindTrust,
  type Trust,
  unknownProxies,
  warnOfUntrusted,
} from '../requests/client-address.js'
import type { StoreAccess } from '../requests/store-access.js'
import { hasPassed } from './already-ran.js'
import { beforeResponse } from './before-response.js'
import { type BindOptions, checkedBindOptions } from './binding/bind-options.js'
import { type BindingVerdict, ClientBinding } from './binding/client-binding.js'
import type { Prefixes } from './binding/client-fingerprint.js'
import { actionFor, clientOf, keepMismatched } from './binding/mismatch.js'
import { keepOutOfCaches } from './forbid-caching.js'
import { passWithoutSession } from './pass-without-session.js'
import {
  abandonSession,
  goOnAfter,
  hasSession,
  type Middleware,
  type SessionRequest,
  storeOf,
} from './session-request.js'
import { isStandIn } from './stand-in.js'

/**
 * What happens to a session that comes from another client. `observe`: nothing but the event. `reauthenticate`: its
 * login counts as stale, so that `requireFreshLogin` refuses. `destroy`: it ends, and the request goes on without it.
 */
export type MismatchAction = 'observe' | 'reauthenticate' | 'destroy'

/** `req.sessionBinding`. */
export interface SessionBinding {
  verdict: BindingVerdict
  /** What was done about it; `none` where the verdict is `match`. */
  action: MismatchAction | 'none'
}

export interface Mismatch<Data extends object = SessionData> {
  verdict: Exclude<BindingVerdict, 'match'>
  /** What would happen without `onMismatch`. */
  defaultAction: MismatchAction
  session: SessionContent<Data>
  req: SessionRequest
}

export interface BindClientOptions<Data extends object = SessionData> {
  /** Key of the digests in Redis; a list while it is being replaced, current first. */
  secret: string | readonly string[] | undefined
  /** How many leading bits of an address make its network. Default `{ v4: 24, v6: 64 }`; false: not compared. */
  ip?: Partial<Prefixes> | false
  /**
   * Which proxies to believe where they say who their client is (X-Forwarded-For): how many there are, false for none, or a function
   * of an address, such as `proxyaddr.compile(['10.0.0.0/8'])` of the package proxy-addr. Default: as Express has it in `trust proxy`;
   * without Express, none. For sockets, and for processes that have no Express.
   */
  trustProxy?: number | false | Trust
  /**
   * `'family'` (default): browser, operating system and whether it is mobile, not their versions. `'exact'`: the whole
   * header, so that every update of a browser is a mismatch. false: not compared.
   */
  userAgent?: 'family' | 'exact' | false
  /**
   * One action for every mismatch, or a function that chooses. Default: `observe` if only the network has changed,
   * `reauthenticate` if only the browser or system has, `destroy` if both have. WARNING: `destroy` for a mere change of
   * network logs out everybody who leaves the house with a phone.
   */
  onMismatch?: MismatchAction | ((mismatch: Mismatch<Data>) => MismatchAction | Promise<MismatchAction>)
  /**
   * Also stores, readable, what kind of client a session began with, e.g. `Firefox on Linux`: `SessionInfo.client`, for a
   * page of the user's own devices. Default false: nothing readable about the client is stored.
   */
  label?: boolean
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `bindClient()`. */
      sessionBinding?: SessionBinding
    }
  }
}

type BoundRequest = SessionRequest & AddressedRequest & { sessionBinding?: SessionBinding }

/**
 * Ties each session to the network and the kind of browser it began with, or last logged in with, so that a stolen
 * cookie is of less use elsewhere (OWASP Session Management Cheat Sheet, "Binding the Session ID to Other User
 * Properties"). Comes right after `session()`.
 *
 * The binding is stored with the session's first save, as keyed digests; visitors without a session cause no write.
 * Redis commands: none, but one script per session for `reauthenticate` or a replaced secret, and one DEL for `destroy`.
 *
 * @throws TypeError for unknown or malformed options; Error at the first request if Express trusts every proxy
 */
export function bindClient<Data extends object = SessionData>(options: BindClientOptions<Data>): Middleware {
  const resolved = checkedBindOptions(options)
  const pass = passWithoutSession('bindClient()')

  return function bindClient(request, res, next) {
    const req = request as BoundRequest
    // With a "trustProxy" of its own, it does not go by what Express trusts.
    const isExpressMeant = resolved.prefixes !== undefined && resolved.trustProxy === undefined
    if (isExpressMeant) refuseBlindTrust(req)
    if (!hasSession(req)) return pass(request, res, next)
    if (hasPassed(req, 'bindClient()', pass)) return next()
    const store = storeOf(req, 'bindClient()')
    keepOutOfCaches(req, res)
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

/** One request, and what becomes of its session. */
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
    store.onNewSession(req, (session, from) => {
      if (from === undefined) this.#binding.bind(session)
      else this.#binding.carryOver(from, session)
    })
  }

  settle(): Promise<void> | undefined {
    const session = this.#req.session as NonNullable<SessionRequest['session']>
    this.#req.sessionBinding = { verdict: 'match', action: 'none' }
    if (!this.#store.isLoaded(session)) {
      this.#binding.bind(session)
      return undefined
    }
    const verdict = this.#binding.compare(session)
    if (verdict !== 'match') return this.#answer(session, verdict)
    this.#binding.learn(session)
    return this.#binding.renew(session) ? this.#store.saveMarks(session) : undefined
  }

  async #answer(session: NonNullable<SessionRequest['session']>, verdict: Mismatch['verdict']): Promise<void> {
    const action = await actionFor(this.#req, session, verdict, this.#store, this.#options.onMismatch)
    if (action === 'destroy') await this.#destroy(session)
    else await keepMismatched(session, action, this.#store, this.#binding)
    this.#req.sessionBinding = { verdict, action }
  }

  /** The request gets a new session; unless somebody uses it, it is neither saved nor is its cookie sent. */
  async #destroy(session: NonNullable<SessionRequest['session']>): Promise<void> {
    this.#store.nameEnd(this.#req, 'mismatch')
    await new Promise<void>((resolve, reject) => {
      session.regenerate((err) => (err ? reject(err) : resolve()))
    })
    const fresh = this.#req.session
    beforeResponse(this.#req, this.#res, this.#next, 'drop', () => {
      const isUnused = fresh !== undefined && this.#req.session === fresh && !this.#store.isStored(fresh)
      if (isUnused && !this.#store.isChanged(fresh)) abandonSession(this.#req)
      return undefined
    })
  }
}
