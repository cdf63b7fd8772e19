import { type Cookie, Session } from 'express-session'
import type { Callback } from '../callback.js'
import type { DestroyReason, SessionEventName, SessionEvents } from '../events.js'
import type { LoadedSession } from '../hash/decode.js'
import { isProperty } from '../hash/field-name.js'
import type { AnySession } from '../hash/session-data.js'
import { invalidId } from '../ids/invalid-id.js'
import { handleOf, hasId, parseSid } from '../ids/sid.js'
import type { Within } from '../redis/deadline.js'
import { catchUp } from '../rotation/merge-late-saves.js'
import { confirmId, type RenewalTerms, renewSession } from '../rotation/renew.js'
import { announceRotation, retireForNext, wasRetired, writtenProperties } from '../rotation/retire.js'
import type { Context } from '../session/context.js'
import { destroySession } from '../session/destroy.js'
import { isLive } from '../session/inspect.js'
import type { SessionRecord } from '../session/session-record.js'
import { KnownProxies } from './client-address.js'
import { LiveSessions } from './live-session.js'
import { NewSessions } from './new-sessions.js'
import { OutsideLogin } from './outside-login.js'
import type { Principal } from './principal.js'
import type { Sessions } from './sessions.js'
import type {
  Guard,
  NewSession,
  OpenedSession,
  RequestWithSession,
  Rotation,
  StoreAccess,
  StoreTimeouts,
  Visit,
} from './store-access.js'
import { isValid } from './validate.js'

type Generate = (req: RequestWithSession) => void

/** The id that a request came with. */
export interface Arrival {
  sid: string
  /** It names a session, and is so old that only a thief would come with it. */
  isReuse: boolean
  /** What an object that was let in with this id is known to be, and loads again. */
  held?: SessionRecord | undefined
}

/** What the store knows of requests: the other half of this library's middleware. */
export class RequestSessions implements StoreAccess {
  readonly live: LiveSessions
  readonly #context: Context
  readonly #sessions: Sessions
  readonly #within: Within
  readonly #guards = new WeakMap<object, readonly Guard[]>()
  readonly #newSession = new WeakMap<object, NewSession>()
  /** Ids that requests came with and that gave them no session. */
  readonly #missed = new WeakMap<object, Arrival>()
  readonly #endReasons = new WeakMap<object, DestroyReason>()
  /** What requests outside Express have been given. */
  readonly #opened = new WeakMap<object, SessionRecord>()
  readonly #continued = new WeakSet<object>()
  readonly outside: OutsideLogin
  readonly newSessions = new NewSessions()
  readonly proxies = new KnownProxies()
  readonly #reload: PropertyDescriptor
  #answering: Arrival | undefined
  #generate: Generate | undefined

  /**
   * @param within gives work its deadline
   * @param reload the `reload` of every session of a request
   */
  constructor(context: Context, sessions: Sessions, within: Within, reload: PropertyDescriptor) {
    this.live = new LiveSessions(context.options.serializer)
    this.#context = context
    this.#sessions = sessions
    this.#within = within
    this.#reload = reload
    this.outside = new OutsideLogin(context)
  }

  set principal(principal: Principal) {
    this.outside.principal ??= principal
  }

  /** Every session that a request gets passes here. */
  equip(session: object): void {
    this.live.guard(session)
    Object.defineProperty(session, 'reload', this.#reload)
  }

  /** A session object that stands for itself, however old its id has become meanwhile. */
  arrivalOf(session: Session): Arrival {
    const record = this.#sessions.recordOf(session)
    return { sid: session.id, isReuse: false, held: heldBy(record) }
  }

  /** express-session assigns its own `generate` to the store; ours learns which id the new session stands in for. */
  set generate(generate: Generate) {
    this.#generate = generate
    this.newSessions.forget()
  }

  get generate(): Generate {
    return (req) => {
      this.#make(req)
      this.newSessions.add(req.session as object)
      // Found out now, or the visitor would get a cookie for a session that can never be saved.
      if (parseSid(req.sessionID)?.generation !== 0) throw invalidId(req.sessionID)
      if (this.#answering !== undefined) this.#missed.set(req, this.#answering)
      this.#answering = undefined
      this.#newSession.get(req)?.(req.session as object, undefined)
    }
  }

  #make(req: RequestWithSession): void {
    this.#generate?.(req)
    if (req.session) this.equip(req.session)
  }

  /** The session behind an id, if it may still be used. */
  load(arrival: Arrival): Promise<LoadedSession | null> {
    const onReuse = () => {
      arrival.isReuse = true
    }
    const getting = this.#sessions.get(arrival.sid, onReuse, arrival.held)
    const loading = this.#within(getting)
    return this.#context.options.validate === undefined ? loading : loading.then((session) => this.#validated(session))
  }

  async #validated(session: LoadedSession | null): Promise<LoadedSession | null> {
    const record = session && this.#sessions.recordOf(session)
    if (!record) return null
    return (await isValid(this.#context, session, record, this.#within)) ? session : null
  }

  /** The same in this very call; undefined if something has to be waited for. */
  loadAtOnce({ sid, held }: Arrival): LoadedSession | undefined {
    if (held !== undefined || this.#context.options.validate !== undefined) return undefined
    return this.#sessions.getAtOnce(sid)
  }

  async open(sid: string, req: RequestWithSession): Promise<OpenedSession | null> {
    const known = this.#opened.get(req) ?? (req.session ? this.#sessions.recordOf(req.session) : undefined)
    const arrival: Arrival = { sid, isReuse: false, held: known?.askedWith === sid ? heldBy(known) : undefined }
    const session = await this.load(arrival)
    if (arrival.isReuse) await this.#endReused(sid)
    if (session === null) return null
    this.#opened.set(req, this.#sessions.recordOf(session) as SessionRecord)
    return { session, handle: this.handleOf(session) }
  }

  /** Calls express-session back. If there is no session, it makes one in this very call. */
  answer(arrival: Arrival, callback: Callback<LoadedSession | null>, err: unknown, value?: LoadedSession | null): void {
    const isMissing = !err && !value
    if (isMissing) this.#sessions.missed(arrival.sid)
    this.#answering = isMissing ? arrival : undefined
    if (value) this.#sessions.offer(value)
    try {
      callback(err, value)
    } finally {
      this.#answering = undefined
      if (value) this.#sessions.settleOffer()
    }
  }

  /** The same for a caller without a callback. */
  answered({ sid }: Arrival, session: LoadedSession | null): void {
    if (session === null) this.#sessions.missed(sid)
    else this.#sessions.handOut(session)
  }

  get timeouts(): StoreTimeouts {
    return this.#context.options
  }

  get generator(): unknown {
    return this.#generate
  }

  get userOf(): StoreAccess['userOf'] {
    return this.#context.options.indexes.find(([name]) => name === 'user')?.[1]
  }

  /** Whether a visitor whose session is regenerated may come again with the id before: middleware then recognises it. */
  mayComeAgain(req: object, session: object | undefined): boolean {
    return session !== undefined && this.#guards.has(req) && !this.newSessions.isUnsent(session)
  }

  /** Runs the guard of the request this session belongs to; resolves what is to be saved in its place. */
  beforeSave(session: object): Promise<RequestWithSession> | undefined {
    const { req } = session as { req?: RequestWithSession }
    const guards = req && this.#guards.get(req)
    return guards && runGuards(guards)?.then(() => req as RequestWithSession)
  }

  /** Whether a `set` outside `rotateOnLogin` is a login; undefined if there is nothing to look at. */
  lookAtSet(sid: string, session: AnySession): Promise<void> | undefined {
    if (this.outside.principal === undefined) return undefined
    const { req } = session as { req?: RequestWithSession }
    if (req && this.#guards.has(req)) return undefined
    return this.outside.beforeSet(this.#sessions.storedIds(sid), session, this.#sessions.recordOf(session))
  }

  guard(req: RequestWithSession, guard: Guard): void {
    this.#guards.set(req, [...(this.#guards.get(req) ?? []), guard])
  }

  onNewSession(req: RequestWithSession, callback: NewSession): void {
    this.#newSession.set(req, callback)
  }

  hasLoggedIn(session: object): void {
    const { req } = session as { req?: RequestWithSession }
    if (req !== undefined) this.#newSession.get(req)?.(session, undefined)
  }

  handleOf(session: object): string {
    return handleOf(this.#sessions.recordOf(session)?.storedId ?? '')
  }

  announce<E extends SessionEventName>(name: E, payload: SessionEvents[E]): void {
    this.#context.announcer.announce(name, payload)
  }

  isChanged(session: object): boolean {
    return this.#sessions.isChanged(session as AnySession)
  }

  isLoaded(session: object): boolean {
    return this.#sessions.recordOf(session)?.isLoaded ?? false
  }

  isContinued(session: object): boolean {
    return this.#continued.has(session)
  }

  isStored(session: object): boolean {
    return this.#sessions.recordOf(session) !== undefined
  }

  hasSaved(session: object): boolean {
    return this.#sessions.recordOf(session)?.hasSaved ?? false
  }

  hasEnded(session: object): boolean {
    return this.#sessions.recordOf(session)?.hasEnded ?? false
  }

  isCookieChanged(session: object): boolean {
    return this.#sessions.isCookieChanged(session as AnySession)
  }

  writtenProperties(session: object): Promise<string[]> {
    return writtenProperties(this.#context, session as AnySession, this.#sessions.recordOf(session))
  }

  mark(session: object, field: `@${string}`, text: string): void {
    this.#sessions.mark(session, field, text)
  }

  saveMarks(session: object): Promise<void> {
    return this.#within(this.#sessions.saveMarks(session as AnySession))
  }

  marked(session: object, field: `@${string}`): string | undefined {
    return this.#sessions.marked(session, field)
  }

  async rotate(req: RequestWithSession, rotation: Rotation): Promise<boolean> {
    const { properties, isKept, cookie, reason, mustExist } = rotation
    const old = req.session as NonNullable<RequestWithSession['session']>
    const record = this.#sessions.recordOf(old)
    const oldIds = this.#sessions.storedIds(req.sessionID)
    const oldSid = req.sessionID
    this.#make(req)
    const fresh = req.session as typeof old
    this.equip(fresh)
    this.#continued.add(fresh)
    for (const property of properties.filter(isProperty)) fresh[property] = old[property]
    if (cookie !== undefined) fresh.cookie = cookie as Cookie
    const goBack = () => Object.assign(req, { session: old, sessionID: oldSid })
    // A login that is one too many, or too large, leaves the session before as it is.
    const admitting = this.#within((signal) =>
      this.#sessions.admit(req.sessionID as string, fresh, oldIds, record, signal),
    )
    await admitting.catch((err: unknown) => {
      goBack()
      throw err
    })
    // Deleted before there is a new one: what fails here leaves no second session, and the old id leads nowhere.
    const written = await this.writtenProperties(old)
    const left = await this.#within(retireForNext(this.#context, oldIds))
    if (mustExist && left === null) {
      goBack()
      return false
    }
    if (left !== null && record !== undefined) {
      await catchUp(this.#context, left, record, old as AnySession, fresh as AnySession, written, isKept)
    }
    this.#newSession.get(req)?.(fresh, old)
    if (record !== undefined) this.#sessions.inherit(fresh, record, left)
    const [newId] = this.#sessions.storedIds(req.sessionID)
    if (hasId(oldIds) && newId !== undefined) announceRotation(this.#context, oldIds[0], newId, reason)
    return true
  }

  async isLive(session: object): Promise<boolean> {
    const record = this.#sessions.recordOf(session)
    return record !== undefined && this.#within(isLive(this.#context, record))
  }

  cameWithRotatedId(req: RequestWithSession): Promise<boolean> | false {
    const missed = this.#missed.get(req)
    return missed !== undefined && this.#within(wasRetired(this.#context, this.#sessions.storedIds(missed.sid)))
  }

  endReused(req: RequestWithSession): Promise<void> | undefined {
    const missed = this.#missed.get(req)
    return missed?.isReuse ? this.#endReused(missed.sid) : undefined
  }

  #endReused(sid: string): Promise<void> {
    const storedIds = this.#sessions.storedIds(sid)
    if (hasId(storedIds)) this.announce('reuse', { handle: handleOf(storedIds[0]) })
    return this.#within(destroySession(this.#context, storedIds, 'reuse'))
  }

  async end(session: object, reason: DestroyReason): Promise<void> {
    const record = this.#sessions.recordOf(session)
    const storedIds = this.#sessions.storedIds(record?.askedWith)
    await this.#within(destroySession(this.#context, storedIds, reason))
  }

  nameEnd(req: RequestWithSession, reason: DestroyReason): void {
    this.#endReasons.set(req, reason)
  }

  /** Why the next `regenerate` of this request ends its session. */
  takeEndReason(req: object): DestroyReason {
    const reason = this.#endReasons.get(req) ?? 'destroyed'
    this.#endReasons.delete(req)
    return reason
  }

  visitOf(session: object): Visit | undefined {
    const record = this.#sessions.recordOf(session)
    if (record?.presented === undefined || record.origin.kind === 'string') return undefined
    const { admission, issuedAtMs } = record.presented
    return { admission, issuedAtMs }
  }

  async confirm(session: object): Promise<void> {
    const record = this.#sessions.recordOf(session)
    if (record?.presented === undefined) return
    await this.#within(confirmId(this.#context, record, record.presented))
  }

  async renew(req: RequestWithSession, terms: RenewalTerms, mayIssue: boolean): ReturnType<StoreAccess['renew']> {
    const session = req.session as NonNullable<RequestWithSession['session']>
    const record = this.#sessions.recordOf(session)
    if (record?.presented === undefined) return 'current'
    const everyMs = mayIssue ? terms.everyMs : undefined
    const renewal = await this.#within(renewSession(this.#context, record, record.presented, { ...terms, everyMs }))
    if (renewal.kind !== 'next') return renewal.kind
    if (mayIssue && req.session === session) this.#goOn(req, session, renewal.sid)
    return 'current'
  }

  /** express-session sends a cookie where the session has another id than it had when it was loaded. */
  #goOn(req: RequestWithSession, session: NonNullable<RequestWithSession['session']>, sid: string): void {
    req.sessionID = sid
    const next = Reflect.construct(Session, [req, { ...session }]) as typeof session
    this.#sessions.carryOver(session, next)
    this.equip(next)
    req.session = next
  }
}

/** A session that this request has made itself has no id to be judged by. */
function heldBy(record: SessionRecord | undefined): SessionRecord | undefined {
  return (record?.presented?.isHeld ?? true) ? record : undefined
}

/** Synchronous as long as no guard has anything to do. */
function runGuards([guard, ...rest]: readonly Guard[]): Promise<void> | undefined {
  if (guard === undefined) return undefined
  const pending = guard()
  return pending === undefined ? runGuards(rest) : pending.then(() => runGuards(rest))
}
