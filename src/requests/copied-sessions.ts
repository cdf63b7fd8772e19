import type { LoadedSession } from '../hash/decode.js'
import { isProperty } from '../hash/field-name.js'
import { isExpressCookie, isLiveCookie } from '../hash/live-cookie.js'
import type { AnySession } from '../hash/session-data.js'
import { hasId, type StoredIds } from '../ids/id-mapper.js'
import { type CopyBase, RecentLoads, type RecentSession } from '../session/recent-loads.js'
import type { SessionRecord } from '../session/session-record.js'
import { attachment } from './attachment.js'

/** Objects that were new data when they were saved, in any store. */
const KNOWN_AS_NEW = attachment<true>()

/**
 * Finds out which load a saved object was made from. Hosts other than express-session save an object of their own,
 * made from what was loaded: @fastify/session copies each property, express-openid-connect keeps one of them, others
 * spread or clone.
 *
 * If the copy still has an object from the loaded session (its cookie, a basket), that object identifies the load.
 * For strings and numbers, and after a deep clone, only the recent loads of that id can tell, and only if the object
 * looks like a copy: its cookie is an object of the host, or the same object that was handed out. Data that was put
 * together from scratch is new, even under an id that was loaded.
 *
 * Nothing is kept for sessions that express-session loads, because it makes `req.session` within the callback of
 * `get`.
 */
export class CopiedSessions {
  readonly #recent = new RecentLoads()
  readonly #ofValue = attachment<SessionRecord | undefined>()
  /** The session that the running callback has received, and its record. */
  #offered: LoadedSession | undefined
  #offeredRecord: SessionRecord | undefined

  /** A callback is about to receive this session. */
  offer(session: LoadedSession, record: SessionRecord): void {
    this.#offered = session
    this.#offeredRecord = record
  }

  /** `req.session` has been made from this session, and will be saved instead of it. */
  adopted(session: object, record: SessionRecord): void {
    if (this.#offered === session) this.#offered = undefined
    else if (!this.isUnused) this.#recent.remove(record.storedIds[0], record)
  }

  /**
   * Called when the callback has returned, or when a save cannot wait for that. The receiver of the session may save
   * a copy.
   */
  settle(): void {
    if (this.#offered === undefined) return
    const session = this.#offered
    const record = this.#offeredRecord as SessionRecord
    this.#offered = undefined
    this.handedOut(session, record)
  }

  handedOut(session: LoadedSession, record: SessionRecord): void {
    for (const value of Object.values(session)) {
      // A value that two loads share does not identify a load.
      if (isObject(value)) this.#ofValue.set(value, this.#ofValue.has(value) ? undefined : record)
    }
    this.#recent.add(record.storedIds[0], record, formOf(session.cookie))
  }

  /** A load has found no session under these ids. */
  missed(storedIds: readonly string[]): void {
    if (hasId(storedIds)) this.#recent.gone(storedIds[0])
  }

  /** Whether only express-session has loaded sessions. */
  get isUnused(): boolean {
    return this.#recent.isEmpty
  }

  cleared(): void {
    this.#recent.cleared()
  }

  saved(record: SessionRecord): void {
    if (!this.isUnused) this.#recent.saved(record.storedIds[0], record)
  }

  /** Remembers plain data and its cookie as new, because they may be set again and again. */
  isNew(session: object): void {
    const { cookie } = session as { cookie?: unknown }
    KNOWN_AS_NEW.set(session, true)
    if (isObject(cookie)) KNOWN_AS_NEW.set(cookie, true)
  }

  /**
   * @param session an object without a record
   * @returns undefined if it was made from no session that was loaded
   */
  baseOf(session: AnySession, storedIds: StoredIds): CopyBase | undefined {
    this.settle()
    const { cookie } = session as { cookie?: unknown }
    if (this.isUnused || KNOWN_AS_NEW.has(session) || (isObject(cookie) && KNOWN_AS_NEW.has(cookie))) return undefined
    const record = this.#byValues(session, storedIds)
    if (record !== undefined) return { kind: 'certain', record }
    const recent = this.#recent.find(storedIds[0])
    return recent !== undefined && isLikeCopy(session, recent) ? this.#recent.baseOf(recent) : undefined
  }

  #byValues(session: AnySession, storedIds: readonly string[]): SessionRecord | undefined {
    let found: SessionRecord | undefined
    for (const value of Object.values(session)) {
      const record = isObject(value) ? this.#ofValue.get(value) : undefined
      if (record === undefined || !storedIds.includes(record.storedId)) continue
      if (found !== undefined && found !== record) return undefined
      found = record
    }
    return found
  }
}

function isLikeCopy(session: AnySession, recent: RecentSession): boolean {
  const { cookie } = session as { cookie?: unknown }
  // Sessions that express-session loads are already known (`adopted`). Its other sessions are new.
  if (isLiveCookie(cookie)) return !isExpressCookie(cookie)
  // Without properties, the data restores nothing. It only says that there is something under this id.
  if (!Object.keys(session).some(isProperty)) return false
  return recent.cookie !== undefined && formOf(cookie) === recent.cookie
}

const ATTRIBUTES = ['originalMaxAge', 'expires', 'httpOnly', 'path']

/**
 * Returns a cookie as text; undefined if there is none, or if it lacks an attribute that the cookies of all hosts
 * have and was therefore written by hand. An `expires` string changes over time, so only its presence counts.
 */
function formOf(cookie: unknown): string | undefined {
  if (!isObject(cookie) || !ATTRIBUTES.every((name) => name in cookie)) return undefined
  try {
    return JSON.stringify(cookie, (name, value) => (name === 'expires' && typeof value === 'string' ? '' : value))
  } catch {
    // No such cookie has been handed out, and the save reports what is wrong with it.
    return undefined
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
