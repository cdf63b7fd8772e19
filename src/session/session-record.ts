import type { Bookkeeping } from '../hash/bookkeeping.js'
import { isCookieField, type LoadedCookie } from '../hash/cookie.js'
import type { LoadedSession } from '../hash/decode.js'
import type { Fields, LoadedFields } from '../hash/fields.js'
import { isIndexField } from '../hash/index-fields.js'
import type { PlainCookie } from '../hash/live-cookie.js'
import type { Generation, Presented } from '../hash/renewal-field.js'
import type { StoredIds } from '../ids/id-mapper.js'

/** Where a loaded session comes from: a hash, or connect-redis's string with the digest that recognises it. */
export type Origin = { kind: 'hash'; meta: Bookkeeping } | { kind: 'string'; sha1: string }

/** Idle timeout in milliseconds, and cookie. */
export interface LoadedLease {
  idle: number
  cookie: PlainCookie | undefined
}

/** What is known of a session from its load, besides its fields. */
interface Provenance {
  /** Whether the session was there before this request; its id may then be known to somebody. Default true. */
  isLoaded?: boolean
  loadedCookie?: LoadedCookie | undefined
  /** `cookie.expires` as handed out. */
  loadedExpires?: PlainCookie['expires']
  /** Of a string that connect-redis wrote: what it said then, to tell whether this request has changed it. */
  loadedLease?: LoadedLease
  outdated?: ReadonlyMap<string, string> | undefined
}

interface Held {
  fields: Fields
  /** What the texts of unchanged fields stand for, if that can be compared at a glance. */
  values: Map<string, unknown>
}

const NONE: ReadonlyMap<string, string> = new Map()

/**
 * What Redis held when a session object was loaded or last saved. Belongs to one session object; a save compares with it
 * and writes only the difference. Texts are the serializer's, also where Redis holds them encrypted.
 */
export class SessionRecord {
  storedId: string
  /** Every id it may be stored under, current first; more than one only while `hashIds` changes. */
  storedIds: StoredIds
  origin: Origin
  readonly provenance: Readonly<Provenance>
  /** The id it was loaded with; undefined if it was made, or listed. */
  presented: Presented | undefined
  /** The same as it came. */
  askedWith: string | undefined
  /** Changes of it have been written since it was loaded. */
  hasSaved = false
  /** A write found that the session has ended. */
  hasEnded = false
  /** Fields to be encrypted anew with the next write, and what Redis held: only that may be replaced. */
  outdated: ReadonlyMap<string, string>
  readonly #atLoad: Fields | LoadedFields
  #held: Held | undefined
  #uncertain: Set<string> | undefined

  /** @param fields stay as they are */
  constructor(storedId: string, origin: Origin, fields: Fields | LoadedFields, provenance: Readonly<Provenance> = {}) {
    this.storedId = storedId
    this.storedIds = [storedId]
    this.origin = origin
    this.provenance = provenance
    this.outdated = provenance.outdated ?? NONE
    this.#atLoad = fields
  }

  /** The same for all that is equal: every change of the content counts the save counter on. */
  get version(): string {
    return this.origin.kind === 'hash' ? `${this.origin.meta.created} ${this.origin.meta.saves}` : this.origin.sha1
  }

  /** Another one, as this one was when it was loaded. */
  asLoaded(): SessionRecord {
    const again = new SessionRecord(this.storedId, this.origin, this.#atLoad, this.provenance)
    again.storedIds = this.storedIds
    again.presented = this.presented
    again.askedWith = this.askedWith
    return again
  }

  get isLoaded(): boolean {
    return this.provenance.isLoaded ?? true
  }

  /** Fields that were sent and not confirmed: Redis may or may not hold them like that. */
  get uncertain(): Set<string> {
    this.#uncertain ??= new Set()
    return this.#uncertain
  }

  /** The fields as they were loaded, before this request saved anything. */
  get atLoad(): ReadonlyMap<string, string> {
    return this.#atLoad instanceof Map ? this.#atLoad : this.#atLoad.toMap()
  }

  get fields(): ReadonlyMap<string, string> {
    return this.#now.fields
  }

  /** The text that Redis holds for a value, if it is the very one that was loaded: that spares making it again. */
  textOf(field: string, value: unknown): string | undefined {
    const { fields, values } = this.#now
    return value !== undefined && Object.is(values.get(field), value) ? fields.get(field) : undefined
  }

  /** Redis holds this text now; undefined: the field no longer. */
  holds(field: string, text: string | undefined): void {
    const { fields, values } = this.#now
    if (text === undefined) fields.delete(field)
    else fields.set(field, text)
    values.delete(field)
    this.uncertain.delete(field)
  }

  /** Made when somebody saves, which most requests do not. */
  get #now(): Held {
    this.#held ??= heldOf(this.#atLoad)
    return this.#held
  }

  /** The fields of indexes. Cheap enough for every request, which `fields` is not. */
  get indexFields(): Fields {
    const found: Fields = new Map()
    const source = this.#held?.fields ?? this.#atLoad
    source.forEach((text, field) => {
      if (isIndexField(field)) found.set(field, text)
    })
    return found
  }

  /** As cheap for the cookies of nearly all sessions, which flags say. */
  get hasCookieFields(): boolean {
    if (this.#held === undefined && this.provenance.loadedCookie !== undefined) return false
    return [...this.fields.keys()].some(isCookieField)
  }
}

/** A session, and what is known of it. */
export interface Loaded {
  session: LoadedSession
  record: SessionRecord
  /** undefined for a session that was never renewed. */
  generation: Generation | undefined
}

/** Not one that was created since under the same id. Of what connect-redis wrote, no stamp is known. */
export function isSameSession({ origin: a }: SessionRecord, { origin: b }: SessionRecord): boolean {
  return a.kind === 'string' || (b.kind === 'hash' && a.meta.created === b.meta.created)
}

function heldOf(atLoad: Fields | LoadedFields): Held {
  if (atLoad instanceof Map) return { fields: new Map(atLoad), values: new Map() }
  const held: Held = { fields: new Map(), values: new Map() }
  atLoad.forEach((text, field, value) => {
    held.fields.set(field, text)
    if (value !== undefined) held.values.set(field, value)
  })
  return held
}
