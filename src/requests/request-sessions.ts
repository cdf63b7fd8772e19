import type { DestroyReason, SessionEventName, SessionEvents } from '../events.js'
import type { AnyContent } from '../hash/session-content.js'
import type { AnySession } from '../hash/session-data.js'
import { invalidId, parseSid } from '../ids/sid.js'
import { isOperationOf, type Operation, traceMethods } from '../operations.js'
import type { Within } from '../redis/deadline.js'
import type { Context } from '../session/context.js'
import { destroySession } from '../session/destroy.js'
import type { KnownEntries } from '../session/end-key.js'
import { Arrivals } from './arrivals.js'
import { KnownProxies } from './client-address.js'
import { DestroyMethod } from './destroy-method.js'
import { LiveSessions } from './live-session.js'
import { NewSessions } from './new-sessions.js'
import { OutsideLogin } from './outside-login.js'
import type { Principal } from './principal.js'
import { RequestHooks, requestOf } from './request-hooks.js'
import { SessionAdoption } from './session-adoption.js'
import { SessionDevices } from './session-devices.js'
import { SessionFields } from './session-fields.js'
import { SessionRenewal } from './session-renewal.js'
import { SessionRotation } from './session-rotation.js'
import { SessionState } from './session-state.js'
import type { Sessions } from './sessions.js'
import type { SessionRequest, StoreAccess, StoreTimeouts } from './store-access.js'
import { UsedTokens } from './used-tokens.js'

export type Generate = (req: SessionRequest) => void

/** The store's side of this library's middleware: what the store knows about requests. */
export class RequestSessions implements StoreAccess {
  readonly live: LiveSessions
  readonly state: SessionState
  readonly fields: SessionFields
  readonly hooks = new RequestHooks()
  readonly arrivals: Arrivals
  readonly rotation: SessionRotation
  readonly renewal: SessionRenewal
  readonly devices: SessionDevices
  readonly tokens: UsedTokens
  readonly adoption: SessionAdoption
  readonly outside: OutsideLogin
  readonly newSessions = new NewSessions()
  readonly proxies = new KnownProxies()
  readonly context: Context
  readonly within: Within
  readonly #sessions: Sessions
  #destroy: DestroyMethod | undefined
  #generate: Generate | undefined

  static {
    traceMethods(RequestSessions.prototype, { end: 'destroy' }, (self) => self.context)
  }

  /**
   * @param within sets the deadline of operations
   * @param reload the `reload` method for every session of a request
   */
  constructor(context: Context, sessions: Sessions, within: Within, reload: PropertyDescriptor) {
    this.context = context
    this.#sessions = sessions
    this.within = within
    const { hooks } = this
    this.live = new LiveSessions(context.options.serializer)
    this.live.add('reload', () => reload)
    // Nothing is gained without indexes, and where the index entries are dropped later anyway.
    if (context.options.indexes.length > 0 && context.gateway.keepsOrder) this.#defineDestroy()
    this.state = new SessionState(context, sessions, within)
    this.fields = new SessionFields(sessions, within)
    this.devices = new SessionDevices(context, sessions, within)
    this.tokens = new UsedTokens(context, within)
    this.adoption = new SessionAdoption(context, this.fields, within)
    this.arrivals = new Arrivals(context, sessions, within)
    this.renewal = new SessionRenewal(context, sessions, within, (session) => this.live.equip(session))
    const make = (req: SessionRequest) => this.#make(req)
    this.rotation = new SessionRotation({ context, sessions, state: this.state, hooks, within, make })
    this.outside = new OutsideLogin(context)
  }

  get timeouts(): StoreTimeouts {
    return this.context.options
  }

  get generator(): unknown {
    return this.#generate
  }

  get userOf(): StoreAccess['userOf'] {
    return this.context.options.indexes.find(([name]) => name === 'user')?.[1]
  }

  get indexNames(): readonly string[] {
    return this.context.options.indexes.map(([name]) => name)
  }

  set principal(principal: Principal) {
    this.outside.principal ??= principal
    this.keepFromMerging('the principal of rotateOnLogin()', principal)
  }

  keepFromMerging(who: string, reads: (session: AnyContent) => unknown): void {
    this.context.merger?.leaveOut(who, reads)
  }

  heedDestroy(): void {
    this.#defineDestroy().unheard ??= () => this.announce('warning', { code: 'failure-unheard', message: UNHEARD })
  }

  #defineDestroy(): DestroyMethod {
    if (this.#destroy !== undefined) return this.#destroy
    this.#destroy = new DestroyMethod(
      (session) => this.#sessions.recordOf(session),
      (req) => this.arrivals.missedId(req),
    )
    this.live.add('destroy', this.#destroy.over)
    return this.#destroy
  }

  /**
   * express-session assigns its own `generate` to the store. The store's version also records which id the new
   * session replaces.
   */
  set generate(generate: Generate) {
    this.#generate = generate
    this.newSessions.forget()
  }

  get generate(): Generate {
    return (req) => {
      const session = this.#make(req)
      this.newSessions.add(session)
      // Check now: otherwise the visitor would get a cookie for a session that can never be saved.
      if (parseSid(req.sessionID)?.generation !== 0) throw invalidId(req.sessionID)
      this.arrivals.standIn(req)
      this.hooks.hasNewSession(req, session, undefined)
    }
  }

  #make(req: SessionRequest): object {
    this.#generate?.(req)
    if (req.session) this.live.equip(req.session)
    return req.session as object
  }

  /** The index entries of the session whose `destroy` method calls the store at this moment, as far as is known. */
  get entriesToEnd(): KnownEntries | undefined {
    return this.#destroy?.known
  }

  /**
   * Whether a visitor whose session is regenerated may come back with the previous id. Middleware then recognises
   * that id.
   */
  mayComeAgain(req: object, session: object | undefined): boolean {
    return session !== undefined && this.hooks.hasGuard(req) && !this.newSessions.isUnsent(session)
  }

  /** Checks whether a `set` outside `rotateOnLogin` is a login; undefined if there is nothing to check. */
  lookAtSet(sid: string, session: AnySession): Promise<void> | undefined {
    if (this.outside.principal === undefined || this.hooks.hasGuard(requestOf(session))) return undefined
    return this.outside.beforeSet(this.#sessions.storedIds(sid), session, this.#sessions.recordOf(session))
  }

  isOwn(operation: Operation): boolean {
    return isOperationOf(operation, this.context)
  }

  announce<E extends SessionEventName>(name: E, payload: SessionEvents[E]): void {
    this.context.announcer.announce(name, payload)
  }

  async end(session: object, reason: DestroyReason): Promise<void> {
    const record = this.#sessions.recordOf(session)
    const storedIds = this.#sessions.storedIds(record?.askedWith)
    await this.within(destroySession(this.context, storedIds, reason))
  }
}

const UNHEARD = 'req.session.destroy() has failed, and nobody has asked: pass a callback'
