import type { LoadedSession } from '../hash/decode.js'
import { isProperty } from '../hash/field-name.js'
import { isExpressCookie, isLiveCookie } from '../hash/live-cookie.js'
import type { AnySession } from '../hash/session-data.js'
import { hasId, type StoredIds } from '../ids/id-mapper.js'
import { type CopyBase, RecentLoads, type RecentSession } from '../session/recent-loads.js'
import type { SessionRecord } from '../session/session-record.js'
import { attachment } from './attachment.js'

/** Objects that were new data when they were saved, in whichever store. */
const KNOWN_AS_NEW = attachment<true>()

/**
 * Hosts other than express-session save an object of their own, made from what was loaded: @fastify/session copies each
 * property, express-openid-connect keeps one of them, others spread or clone. Tells which load such an object was made from.
 *
 * A value of the loaded session that is an object (its cookie, a basket) says so by itself, if the copy still has it. Of
 * texts and numbers, and after a deep clone, only the recent loads of that id can tell, and only for what looks like a copy:
 * its cookie is an object of the host's, or the very one that was handed out. Data that somebody has put together is new,
 * also under an id that was loaded.
 *
 * Of what express-session loads, nothing is kept: it says in the very callback of `get` that it makes `req.session` of it.
 */
export class Copies {
  readonly #recent = new RecentLoads()
  readonly #ofValue = attachment<SessionRecord | undefined>()
  /** In the hands of the callback that is running, and what is known of it. */
  #offered: LoadedSession | undefined
  #offeredRecord: SessionRecord | undefined

  /** A callback is about to get this session. */
  offer(session: LoadedSession, record: SessionRecord): void {
    this.#offered = session
    this.#offeredRecord = record
  }

  /** `req.session` has been made from it, and is what will be saved. */
  adopted(session: object, record: SessionRecord): void {
    if (this.#offered === session) this.#offered = undefined
    else if (!this.isUnused) this.#recent.remove(record.storedIds[0], record)
  }

  /** The callback has returned, or a save cannot wait for that: whoever got the session may save a copy. */
  settle(): void {
    if (this.#offered === undefined) return
    const session = this.#offered
    const record = this.#offeredRecord as SessionRecord
    this.#offered = undefined
    this.handedOut(session, record)
  }

  handedOut(session: LoadedSession, record: SessionRecord): void {
    for (const value of Object.values(session)) {
      // A value that two loads share says nothing.
      if (isObject(value)) this.#ofValue.set(value, this.#ofValue.has(value) ? undefined : record)
    }
    this.#recent.add(record.storedIds[0], record, formOf(session.cookie))
  }

  /** A load has found nothing under these ids. */
  missed(storedIds: readonly string[]): void {
    if (hasId(storedIds)) this.#recent.gone(storedIds[0])
  }

  /** Nobody but express-session has loaded anything. */
  get isUnused(): boolean {
    return this.#recent.isEmpty
  }

  cleared(): void {
    this.#recent.cleared()
  }

  saved(record: SessionRecord): void {
    this.#recent.saved(record.storedIds[0], record)
  }

  /** Plain data that was new once stays so, and so does its cookie: it may be set again and again. */
  isNew(session: object): void {
    const { cookie } = session as { cookie?: unknown }
    KNOWN_AS_NEW.set(session, true)
    if (isObject(cookie)) KNOWN_AS_NEW.set(cookie, true)
  }

  /** @param session an object that nothing is known of; undefined: it was made from no session that was loaded */
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
  // What express-session loads, it says. Its other sessions are new.
  if (isLiveCookie(cookie)) return !isExpressCookie(cookie)
  // Nothing comes back with it: such data only says that there is something under this id.
  if (!Object.keys(session).some(isProperty)) return false
  return recent.cookie !== undefined && formOf(cookie) === recent.cookie
}

const ATTRIBUTES = ['originalMaxAge', 'expires', 'httpOnly', 'path']

/**
 * A cookie as text; undefined for none, and for one that lacks what every host's has, and that somebody has put together by
 * hand. An `expires` that is a text moves by itself: only that there is one counts.
 */
function formOf(cookie: unknown): string | undefined {
  if (!isObject(cookie) || !ATTRIBUTES.every((name) => name in cookie)) return undefined
  try {
    return JSON.stringify(cookie, (name, value) => (name === 'expires' && typeof value === 'string' ? '' : value))
  } catch {
    // Nothing like it has been handed out; the save says what is wrong with it.
    return undefined
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
