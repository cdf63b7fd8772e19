import type { IncomingMessage } from 'node:http'
import type { Cookie, Session, SessionData } from 'express-session'
import type { DestroyReason, SessionEventName, SessionEvents } from '../events.js'
import type { Admission } from '../hash/renewal-field.js'
import type { AnyContent } from '../hash/session-content.js'
import type { Operation } from '../operations.js'
import type { ResolvedOptions } from '../options.js'
import type { Within } from '../redis/deadline.js'
import type { BindDeviceReply, ChallengeDeviceReply, ProveDeviceReply } from '../redis/scripts/device.js'
import type { RenewalTerms } from '../rotation/renew.js'
import type { Adopted, OldIds } from '../session/adopt.js'
import type { Context } from '../session/context.js'
import type { KnownProxies } from './client-address.js'

/** A registered symbol, so that middleware finds the store where a project has two copies of this package. */
export const STORE_ACCESS: unique symbol = Symbol.for('connect-redis-hash.store') as never

/** A request after express-session has processed it. */
export interface SessionRequest extends IncomingMessage {
  session?: (Session & Partial<SessionData> & Record<string, unknown>) | null
  sessionID?: string
  sessionStore?: unknown
}

/**
 * Runs before a session of this request is saved. Returns undefined if there is nothing to do, or a promise after
 * which `req.session` may be another session with another id.
 */
export type Guard = () => Promise<void> | undefined

/** @param from the previous session of the same user that this one continues; undefined if there is none */
export type NewSession = (session: object, from: object | undefined) => void

export interface Rotation {
  /**
   * Whether a property is carried over. It is called for properties of this request, and for those that another
   * request has saved meanwhile.
   */
  isKept: (property: string) => boolean
  /** Whether properties that this request has set or changed are carried over in any case. */
  keepsWritten: boolean
  /** The initial cookie of the new session; without it, the cookie is made from the options of `session()`. */
  cookie: Cookie | undefined
  /** The reason for the `rotated` event. */
  reason: string
  /**
   * Whether a session that has ended meanwhile stays ended. Only a login may set this to false, because its visitor
   * has just proved who they are.
   */
  mustExist: boolean
  /** Whether the application has ended its response. Its changes to the session from then on are ignored. */
  isLast: boolean
}

/** The id that a request came with. */
export interface Visit {
  admission: Admission
  /** When the id was issued: milliseconds since 1970. */
  issuedAtMs: number
}

/** A session outside a request. */
export interface OpenedSession {
  session: Record<string, unknown>
  /** Its public name. */
  handle: string
}

/** The store options that determine how long its sessions last, under which ids they are, and what follows an outage. */
export type StoreTimeouts = Pick<
  ResolvedOptions,
  'ttl' | 'absoluteMs' | 'disableTTL' | 'disableTouch' | 'hashIds' | 'onUnavailable'
>

/** What middleware may know about the session of a request. Costs no command unless stated. */
export interface StateAccess {
  /** Whether a save of this session would write anything. */
  isChanged(session: object): boolean
  /** Whether the cookie differs from the one that was loaded. */
  isCookieChanged(session: object): boolean
  /** Whether the session existed before this request. */
  isLoaded(session: object): boolean
  /** Whether the session continues another one under a new id (`rotate`). */
  isContinued(session: object): boolean
  /** Whether the session existed before, or this request has saved it. */
  isStored(session: object): boolean
  /** Whether this request has saved changes of the session. */
  hasSaved(session: object): boolean
  /** Whether a save of the session has found that it has ended. */
  hasEnded(session: object): boolean
  /** Whether the loaded session still exists. Costs HMGET. */
  isLive(session: object): Promise<boolean>
  /** Returns the public name of a stored session. */
  handleOf(session: object): string
}

/** Bookkeeping fields that middleware stores with a session; each under 64 bytes. */
export interface FieldAccess {
  /** Stores a field with the session from its next save on. */
  mark(session: object, field: `@${string}`, text: string): void
  /** Returns the field as it was marked or loaded. Costs no command. */
  marked(session: object, field: `@${string}`): string | undefined
  /** Writes only the marks of a loaded session now, unless it has ended meanwhile. Costs one script. */
  saveMarks(session: object): Promise<void>
}

/** What middleware asks the store to do or report later in a request. */
export interface HookAccess {
  /** Calls the guard before every save of a session of this request, after guards that were added earlier. */
  guard(req: SessionRequest, guard: Guard): void
  /**
   * Calls back with every new session that this request gets from now on, and with a session whose user has just
   * logged in.
   */
  onNewSession(req: SessionRequest, callback: NewSession): void
  /** The user of the session has just proved who they are. */
  hasLoggedIn(session: object): void
  /**
   * Sets the reason for which the next `regenerate` of this request ends its session. Without it, the application
   * has ended the session.
   */
  nameEnd(req: SessionRequest, reason: DestroyReason): void
}

/** Gives a session another id because its user changes. */
export interface RotationAccess {
  /**
   * Ends the session of this request and gives the request a new one that is not saved yet. Costs two
   * scripts.
   *
   * @returns false if the session had ended and `mustExist` is set; the request then keeps the old session
   */
  rotate(req: SessionRequest, rotation: Rotation): Promise<boolean>
}

/** Gives a session its next id because time has passed. */
export interface RenewalAccess {
  /**
   * Returns the state of the id of a loaded session; undefined for any other session, and for one that connect-redis
   * wrote. Costs no command.
   */
  visitOf(session: object): Visit | undefined
  /**
   * Records that the client has presented the id issued last. The previous id is out of date from then on. Costs one
   * script.
   */
  confirm(session: object): Promise<void>
  /**
   * Issues the next id of the session of this request if it is due and `mayIssue` is set. Gives the request that id,
   * or the one that another request has issued. Costs one script.
   *
   * @returns the state of the id that the request then has
   */
  renew(req: SessionRequest, terms: RenewalTerms, mayIssue: boolean): Promise<'current' | 'superseded' | 'gone'>
}

/** The id that a request came with. */
export interface ArrivalAccess {
  /**
   * Returns the session that a client presents, as in a request; null if there is none, or it may not be used. Costs
   * HGETALL. A request that has received a session receives it again as long as the request lives, even after a
   * renewal: sockets keep theirs for hours.
   */
  open(sid: string, req: object): Promise<OpenedSession | null>
  /**
   * Whether the cookie of this request names a session that was given up for a new id a moment ago. Costs EXISTS.
   * Returns false synchronously if the cookie names an existing session, or there is no cookie.
   */
  cameWithRotatedId(req: SessionRequest): Promise<boolean> | false
  /** Returns the id of this request's cookie if there was no session with it. Costs no command. */
  missedId(req: object): string | undefined
  /**
   * Ends the session if the request presented an id of it so old that only an attacker would have it. Costs DEL.
   * Returns undefined if the request did not.
   */
  endReused(req: SessionRequest): Promise<void> | undefined
}

/** Binds a loaded session to a device (redis/scripts/device.ts). Each method costs one script unless stated. */
export interface DeviceAccess {
  /** Redis's clock, in milliseconds since 1970; undefined if it is not known. Costs no command. */
  knownMs(session: object): number | undefined
  /** Asks for Redis's clock. */
  tellMs(session: object): Promise<number>
  /** @param secret of the bound cookies */
  bind(session: object, key: string, challenge: string, secret: string): Promise<BindDeviceReply>
  challenge(session: object): Promise<ChallengeDeviceReply>
  prove(session: object, key: string, challenge: string): Promise<ProveDeviceReply>
  /** Records that the client has presented a bound cookie. */
  confirm(session: object): Promise<void>
}

/** Which tokens of a provider have been used, for all processes. Names are digests. */
export interface TokenAccess {
  /** Costs EXISTS. */
  isUsed(digest: string): Promise<boolean>
  /** Remembers it for this time. Costs SET. */
  use(digest: string, ms: number): Promise<void>
}

/** Sessions whose visitors come with the cookie that the application had before. */
export interface AdoptionAccess {
  /** Whether there is a session that this id gives access to. Costs HGETALL. */
  isThere(sid: string): Promise<boolean>
  /**
   * Finds the session of an old cookie, and moves it to its new id. Costs HGETALL for each stored id, and for a session
   * that was not moved before, the scripts of the move.
   *
   * @param ids stored ids that the old session may have
   * @param firsts the new id, and the ids that older secrets have given
   * @returns null if there is no session, or if the old cookie does not count any more
   */
  adopt(oldSid: string, ids: OldIds, firsts: readonly [string, ...string[]]): Promise<Adopted | null>
  /**
   * Notes that the visitor of such a session has come with the new cookie. Costs one script the first time. Returns
   * undefined if there is nothing to note.
   */
  confirm(req: SessionRequest, nowMs: number): Promise<void> | undefined
}

/** What this library's middleware may ask the store, in addition to the API for applications. */
export interface StoreAccess {
  /** For the test kit, which changes what Redis holds. */
  readonly context: Context
  readonly within: Within
  /** How long the sessions of this store last. */
  readonly timeouts: StoreTimeouts
  /** Which proxies Express trusts, as far as requests have shown it. */
  readonly proxies: KnownProxies
  /** Creates new sessions: the function that the most recent `session()` has assigned. */
  readonly generator: unknown
  /** The function of the index `user`, which returns the user of a session. */
  readonly userOf: ((session: AnyContent) => unknown) | undefined
  readonly state: StateAccess
  readonly fields: FieldAccess
  readonly hooks: HookAccess
  readonly arrivals: ArrivalAccess
  readonly rotation: RotationAccess
  readonly renewal: RenewalAccess
  readonly devices: DeviceAccess
  readonly tokens: TokenAccess
  /** Names of the indexes of this store. */
  readonly indexNames: readonly string[]
  readonly adoption: AdoptionAccess
  /**
   * Set by `rotateOnLogin`: the function that returns the user of a session. The store warns if a session gets
   * another user elsewhere. Only the first function counts.
   */
  set principal(principal: (session: AnyContent) => unknown)
  /**
   * Excludes the properties that a function reads from what the store merges (`merge` option).
   *
   * @param who names the function in the error message
   * @throws TypeError if the option names such a property
   */
  keepFromMerging(who: string, reads: (session: AnyContent) => unknown): void
  /** Notes from now on which sessions the application destroys (requests/destroyed-sessions.ts). */
  heedDestroy(): void
  /** Whether a traced operation is one of this store. */
  isOwn(operation: Operation): boolean
  announce<E extends SessionEventName>(name: E, payload: SessionEvents[E]): void
  /** Ends a loaded session. Costs DEL. */
  end(session: object, reason: DestroyReason): Promise<void>
}
