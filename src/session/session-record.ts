import type { Bookkeeping } from '../hash/bookkeeping.js'
import { isCookieField, type LoadedCookie } from '../hash/cookie.js'
import type { LoadedSession } from '../hash/decode.js'
import type { Fields, LoadedFields } from '../hash/fields.js'
import { isIndexField } from '../hash/index-fields.js'
import type { PlainCookie } from '../hash/live-cookie.js'
import type { Generation, Presented } from '../hash/renewal-field.js'
import type { StoredIds } from '../ids/id-mapper.js'

/** The source of a loaded session: a hash, or connect-redis's string with the digest that recognises it. */
export type Origin = { kind: 'hash'; meta: Bookkeeping } | { kind: 'string'; sha1: string }

/** Idle timeout in milliseconds, and cookie. */
interface LoadedLease {
  idle: number
  cookie: PlainCookie | undefined
}

/** What the load has told about a session, besides its fields. */
interface Provenance {
  /** Whether the session existed before this request, so that somebody may know its id. Default: true. */
  isLoaded?: boolean
  loadedCookie?: LoadedCookie | undefined
  /** `cookie.expires` as handed out. */
  loadedExpires?: PlainCookie['expires']
  /** Lease as loaded from connect-redis's string. Shows later whether this request has changed it. */
  loadedLease?: LoadedLease
  outdated?: ReadonlyMap<string, string> | undefined
}

const NONE: ReadonlyMap<string, string> = new Map()

/**
 * The content of Redis when a session object was loaded or last saved. Each session object has its own record. A save
 * compares with the record and writes only the difference. The texts are those of the serializer, even if Redis holds
 * them encrypted.
 */
export class SessionRecord {
  storedId: string
  /**
   * Every id that the session may be stored under, the current one first. More than one only while `hashIds` changes.
   */
  storedIds: StoredIds
  origin: Origin
  readonly provenance: Readonly<Provenance>
  /** The id that the session was loaded with; undefined if the session was created or listed. */
  presented: Presented | undefined
  /** The id that the session was loaded with, as the caller passed it. */
  askedWith: string | undefined
  /** Whether changes have been written since the load. */
  hasSaved = false
  /** Whether a write found that the session has ended. */
  hasEnded = false
  /**
   * Whether `fields` is all that Redis held when it held the bookkeeping of `origin`. No longer after a write that
   * came behind one of another request: its reply brings the bookkeeping, but not what others have written.
   */
  isWhole = true
  /** Fields to encrypt anew with the next write, with the texts that Redis held: only these texts may be replaced. */
  outdated: ReadonlyMap<string, string>
  readonly #atLoad: Fields | LoadedFields
  /** What has been written since; undefined: the field was removed. */
  #written: Map<string, string | undefined> | undefined
  #fields: Fields | undefined
  #uncertain: Set<string> | undefined

  /** @param fields are not modified */
  constructor(storedId: string, origin: Origin, fields: Fields | LoadedFields, provenance: Readonly<Provenance> = {}) {
    this.storedId = storedId
    this.storedIds = [storedId]
    this.origin = origin
    this.provenance = provenance
    this.outdated = provenance.outdated ?? NONE
    this.#atLoad = fields
  }

  /** Identifies the content: every change of the content increments the save counter, so equal versions are equal. */
  get version(): string {
    return this.origin.kind === 'hash' ? `${this.origin.meta.created} ${this.origin.meta.saves}` : this.origin.sha1
  }

  /** Makes another record in the state that this one had when it was loaded. */
  asLoaded(): SessionRecord {
    const again = new SessionRecord(this.storedId, this.origin, this.#atLoad, this.provenance)
    again.storedIds = this.storedIds
    again.isWhole = this.isWhole && this.#written === undefined
    again.presented = this.presented
    again.askedWith = this.askedWith
    return again
  }

  get isLoaded(): boolean {
    return this.provenance.isLoaded ?? true
  }

  /** Fields that were sent but not confirmed. Redis may or may not hold the texts that were sent. */
  get uncertain(): Set<string> {
    this.#uncertain ??= new Set()
    return this.#uncertain
  }

  get isCertain(): boolean {
    return this.#uncertain === undefined || this.#uncertain.size === 0
  }

  /** The fields as they were loaded, before this request saved anything. */
  get atLoad(): ReadonlyMap<string, string> {
    return this.#atLoad instanceof Map ? this.#atLoad : this.#atLoad.toMap()
  }

  /** All fields. Made on first use: most requests need at most some of them (`heldText`). */
  get fields(): ReadonlyMap<string, string> {
    this.#fields ??= this.#fieldsNow()
    return this.#fields
  }

  #fieldsNow(): Fields {
    const fields = this.#atLoad instanceof Map ? new Map(this.#atLoad) : this.#atLoad.toMap()
    for (const [field, text] of this.#written ?? []) {
      if (text === undefined) fields.delete(field)
      else fields.set(field, text)
    }
    return fields
  }

  /** Returns the text of one field, as `fields` has it. */
  heldText(field: string): string | undefined {
    if (this.#written?.has(field)) return this.#written.get(field)
    return this.#atLoad instanceof Map ? this.#atLoad.get(field) : this.#atLoad.textOf(field)
  }

  /**
   * Returns the text of a value that is identical to the loaded one, so that the value need not be serialized again.
   */
  textOf(field: string, value: unknown): string | undefined {
    const atLoad = this.#atLoad
    if (value === undefined || atLoad instanceof Map || this.#written?.has(field)) return undefined
    return atLoad.textOfSame(field, value)
  }

  /** Calls a function with every field, in any order. */
  eachField(visit: (text: string, field: string) => void): void {
    if (this.#written === undefined) this.#atLoad.forEach(visit)
    else this.fields.forEach(visit)
  }

  /** Notes that Redis now holds this text; undefined: Redis no longer holds the field. */
  holds(field: string, text: string | undefined): void {
    this.#written ??= new Map()
    this.#written.set(field, text)
    this.#fields = undefined
    this.#uncertain?.delete(field)
  }

  /** The index fields. Cheap enough for every request, unlike `fields`. */
  get indexFields(): Fields {
    const found: Fields = new Map()
    this.eachField((text, field) => {
      if (isIndexField(field)) found.set(field, text)
    })
    return found
  }

  /** Whether there are cookie fields. Cheap for nearly all sessions, because flags describe their whole cookie. */
  get hasCookieFields(): boolean {
    if (this.#written === undefined && this.provenance.loadedCookie !== undefined) return false
    return [...this.fields.keys()].some(isCookieField)
  }
}

/** A session with its record. */
export interface Loaded {
  session: LoadedSession
  record: SessionRecord
  /** Undefined for a session that was never renewed. */
  generation: Generation | undefined
}

/**
 * Whether the second record is of the same session, not of one created since under the same id. A string of
 * connect-redis has no creation stamp, so it counts as the same session.
 */
export function isSameSession({ origin: a }: SessionRecord, { origin: b }: SessionRecord): boolean {
  return a.kind === 'string' || (b.kind === 'hash' && a.meta.created === b.meta.created)
}
