import { attachment } from './attachment.js'
import { isProperty } from './field-name.js'
import type { LoadedSession } from './hash.js'
import { type CopyBase, RecentLoads } from './recent-loads.js'
import { type AnySession, isLiveCookie } from './session-data.js'
import type { SessionRecord } from './session-record.js'

/**
 * Hosts other than express-session save an object of their own, made from what was loaded: @fastify/session copies each
 * property, express-openid-connect keeps one of them, others spread or clone. Tells which load such an object was made from.
 *
 * A value of the loaded session that is an object (its cookie, a basket) says so by itself, if the copy still has it. Of
 * texts and numbers, and after a deep clone, only the loads of that id can tell. Of what express-session loads, nothing is
 * kept: it says in the very callback of `get` that it makes `req.session` of it.
 */
export class Copies {
  readonly #recent = new RecentLoads()
  readonly #ofValue = attachment<SessionRecord | undefined>()
  /** In the hands of the callback that is running. */
  #offered: { session: LoadedSession; record: SessionRecord } | undefined

  /** A callback is about to get this session. */
  offer(session: LoadedSession, record: SessionRecord): void {
    this.#offered = { session, record }
  }

  /** `req.session` has been made from it, and is what will be saved. */
  adopted(session: object): void {
    if (this.#offered?.session === session) this.#offered = undefined
  }

  /** The callback has returned, or a save cannot wait for that: whoever got the session may save a copy. */
  settle(): void {
    const offered = this.#offered
    if (offered === undefined) return
    this.#offered = undefined
    this.handedOut(offered.session, offered.record)
  }

  handedOut(session: LoadedSession, record: SessionRecord): void {
    for (const value of Object.values(session)) {
      // A value that two loads share says nothing.
      if (isObject(value)) this.#ofValue.set(value, this.#ofValue.has(value) ? undefined : record)
    }
    this.#recent.add(home(record.storedIds), record)
  }

  /** A load has found nothing under these ids. */
  missed(storedIds: readonly string[]): void {
    if (storedIds.length > 0) this.#recent.gone(home(storedIds))
  }

  /** Nobody but express-session has loaded anything. */
  get isUnused(): boolean {
    return this.#recent.isEmpty
  }

  saved(record: SessionRecord): void {
    this.#recent.saved(home(record.storedIds), record)
  }

  /** @param session an object that nothing is known of; undefined: it was made from no session that was loaded */
  baseOf(session: AnySession, storedIds: readonly string[]): CopyBase | undefined {
    this.settle()
    const record = this.#byValues(session, storedIds)
    if (record !== undefined) return { kind: 'certain', record }
    // Nothing comes back with it: such data only says that there is something under this id (express-openid-connect's logouts).
    if (!isLiveCookie((session as { cookie?: unknown }).cookie) && !Object.keys(session).some(isProperty))
      return undefined
    return this.#recent.baseOf(home(storedIds))
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

function home(storedIds: readonly string[]): string {
  return storedIds[0] as string
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
