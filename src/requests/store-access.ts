import type { IncomingMessage } from 'node:http'
import type { Cookie, Session, SessionData } from 'express-session'
import type { DestroyReason, SessionEventName, SessionEvents } from '../events.js'
import type { Admission } from '../hash/renewal-field.js'
import type { AnyContent } from '../hash/session-content.js'
import type { ResolvedOptions } from '../options.js'
import type { RenewalTerms } from '../rotation/renew.js'
import type { KnownProxies } from './client-address.js'

/** Registered, so that middleware of the ESM build finds the store of the CJS build, and the other way round. */
export const STORE_ACCESS: unique symbol = Symbol.for('connect-redis-hash.store') as never

/** A request as express-session leaves it. */
export interface SessionRequest extends IncomingMessage {
  session?: (Session & Partial<SessionData> & Record<string, unknown>) | null
  sessionID?: string
  sessionStore?: unknown
}

/**
 * What has to happen before a session of this request is saved: nothing, or a promise after which `req.session` may be
 * another one, with another id.
 */
export type Guard = () => Promise<void> | undefined

/** @param from the session that this one goes on from, for the same user; undefined if there is none */
export type NewSession = (session: object, from: object | undefined) => void

export interface Rotation {
  /** Whether a property goes along; asked for those of this request, and those that another request has saved meanwhile. */
  isKept: (property: string) => boolean
  /** Whether what this request has set or changed goes along in any case. */
  keepsWritten: boolean
  /** The cookie that the new session starts with; without it, one as `session()` was told to make. */
  cookie: Cookie | undefined
  /** For the `rotated` event. */
  reason: string
  /**
   * Whether a session that has ended meanwhile stays ended. Only a login may do without: its visitor has just proved who
   * they are.
   */
  mustExist: boolean
  /** The application has ended its response: what it does with the session from now on does not count. */
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

/** The options of a store that say how long its sessions last, and under which ids. */
export type StoreTimeouts = Pick<ResolvedOptions, 'ttl' | 'absoluteMs' | 'disableTTL' | 'disableTouch' | 'hashIds'>

/** What middleware may know of the session of a request. Costs no command, unless it says so. */
export interface StateAccess {
  /** Whether a save of this session would write anything. */
  isChanged(session: object): boolean
  /** Whether its cookie differs from the one that was loaded. */
  isCookieChanged(session: object): boolean
  /** Whether the session was there before this request. */
  isLoaded(session: object): boolean
  /** Whether it goes on from another one under a new id (`rotate`). */
  isContinued(session: object): boolean
  /** Whether it was there before, or this request has saved it. */
  isStored(session: object): boolean
  /** Whether this request has saved changes of it. */
  hasSaved(session: object): boolean
  /** Whether a save of it has found that it has ended. */
  hasEnded(session: object): boolean
  /** Whether the session that was loaded still exists. HMGET. */
  isLive(session: object): Promise<boolean>
  /** The public name of a session that is stored. */
  handleOf(session: object): string
}

/** Bookkeeping fields that middleware keeps with a session; each under 64 bytes. */
export interface FieldAccess {
  /** Keeps a field with the session from its next save on. */
  mark(session: object, field: `@${string}`, text: string): void
  /** The field as it was marked or loaded. Costs no command. */
  marked(session: object, field: `@${string}`): string | undefined
  /** Writes the marks of a loaded session now, and nothing else, unless it has ended meanwhile. One script. */
  saveMarks(session: object): Promise<void>
}

/** What middleware asks the store to do, or to tell, later in a request. */
export interface HookAccess {
  /** Calls the guard before every save of a session of this request, after those that were given before. */
  guard(req: SessionRequest, guard: Guard): void
  /** Calls back with every new session that this request gets from now on, and with one whose user has just logged in. */
  onNewSession(req: SessionRequest, callback: NewSession): void
  /** The user of the session has just proved who they are. */
  hasLoggedIn(session: object): void
  /** Why the next `regenerate` of this request ends its session; without it, because the application wants it. */
  nameEnd(req: SessionRequest, reason: DestroyReason): void
}

/** Another id because of who the user is. */
export interface RotationAccess {
  /**
   * Ends the session of this request and gives the request a new one, not saved yet. SET, one script.
   *
   * @returns false if it had ended and `mustExist` is set; the request then still has the old one
   */
  rotate(req: SessionRequest, rotation: Rotation): Promise<boolean>
}

/** The next id because of time. */
export interface RenewalAccess {
  /** What the id of a loaded session is; undefined for any other, and for one that connect-redis wrote. Costs no command. */
  visitOf(session: object): Visit | undefined
  /** The client has come with the id issued last: the one before is out of date from here on. One script. */
  confirm(session: object): Promise<void>
  /**
   * Issues the next id of the session of this request if that is due and `mayIssue`, and gives the request that id, or
   * the one another request has issued. One script.
   *
   * @returns what the id that the request then has is
   */
  renew(req: SessionRequest, terms: RenewalTerms, mayIssue: boolean): Promise<'current' | 'superseded' | 'gone'>
}

/** The id that a request came with. */
export interface ArrivalAccess {
  /**
   * The session that a client has come with, as in a request; null if there is none, or it may not be used. HGETALL. A request that
   * has been given a session gets it again as long as it lives, also after a renewal: sockets keep theirs for hours.
   */
  open(sid: string, req: object): Promise<OpenedSession | null>
  /**
   * Whether the cookie of this request names a session that was given up for a new id a moment ago. EXISTS; false at
   * once if the cookie names a session that is there, or there is no cookie.
   */
  cameWithRotatedId(req: SessionRequest): Promise<boolean> | false
  /**
   * Ends the session of which the request came with an id so old that only a thief would have it. DEL. Undefined if
   * it did not.
   */
  endReused(req: SessionRequest): Promise<void> | undefined
}

/** What this library's middleware may ask of the store, beyond what applications may. */
export interface StoreAccess {
  /** How long the sessions of this store last. */
  readonly timeouts: StoreTimeouts
  /** Which proxies Express trusts, as far as it has been seen. */
  readonly proxies: KnownProxies
  /** What makes new sessions: the work of the `session()` that was made last. */
  readonly generator: unknown
  /** The function behind the index `user`: whose a session is. */
  readonly userOf: ((session: AnyContent) => unknown) | undefined
  readonly state: StateAccess
  readonly fields: FieldAccess
  readonly hooks: HookAccess
  readonly arrivals: ArrivalAccess
  readonly rotation: RotationAccess
  readonly renewal: RenewalAccess
  /** `rotateOnLogin` says whose a session is: what gives it another user elsewhere is to be told of. The first one counts. */
  set principal(principal: (session: AnyContent) => unknown)
  announce<E extends SessionEventName>(name: E, payload: SessionEvents[E]): void
  /** Ends a session that is loaded. DEL. */
  end(session: object, reason: DestroyReason): Promise<void>
}
