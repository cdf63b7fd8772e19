import { BOOKKEEPING_FIELD, type Bookkeeping } from './bookkeeping.js'
import { type EncodedCookie, isCookieField } from './cookie.js'
import type { Presented } from './generation.js'
import type { PlainCookie } from './session-data.js'

/** Fields and their texts. */
export type Fields = Map<string, string>

/** Where a loaded session comes from: a hash, or connect-redis's string with the digest that recognises it. */
export type Origin = { kind: 'hash'; meta: Bookkeeping } | { kind: 'string'; sha1: string }

/** Idle timeout in milliseconds, and cookie. */
export interface LoadedLease {
  idle: number
  cookie: PlainCookie | undefined
}

/** The cookie of a session that was loaded, where flags say all of it. */
export interface LoadedCookie {
  plain: Readonly<PlainCookie>
  encoded: EncodedCookie
}

interface Provenance {
  isLoaded?: boolean
  loadedCookie?: LoadedCookie | undefined
  loadedExpires?: PlainCookie['expires']
  loadedLease?: LoadedLease
  outdated?: ReadonlyMap<string, string> | undefined
  values?: readonly unknown[]
}

const NONE: ReadonlyMap<string, string> = new Map()

/**
 * What Redis held when a session object was loaded or last saved. Belongs to one session object; a save compares with it
 * and writes only the difference. Texts are the serializer's, also where Redis holds them encrypted.
 */
export class SessionRecord {
  storedId: string
  /** Every id it may be stored under, current first; more than one only while `hashIds` changes. */
  storedIds: readonly string[]
  origin: Origin
  /** `cookie.expires` as handed out. */
  readonly loadedExpires: PlainCookie['expires']
  readonly loadedCookie: LoadedCookie | undefined
  /** Of a string that connect-redis wrote: what it said then, to tell whether this request has changed it. */
  readonly loadedLease: LoadedLease | undefined
  /** Whether the session was there before this request; its id may then be known to somebody. */
  readonly isLoaded: boolean
  /** The id it was loaded with; undefined if it was made, or listed. */
  presented: Presented | undefined
  /** The same as it came. */
  askedWith: string | undefined
  /** Changes of it have been written since it was loaded. */
  hasSaved = false
  /** A write found that the session has ended. */
  hasEnded = false
  #uncertain: Set<string> | undefined
  /** Fields to be encrypted anew with the next write, and what Redis held: only that may be replaced. */
  outdated: ReadonlyMap<string, string>
  readonly #atLoad: Fields | readonly string[]
  #fields: Fields | readonly string[]
  /** Of an HGETALL reply, what its texts stand for. */
  #values: Map<string, unknown> | readonly unknown[]

  /** @param fields a map, or an HGETALL reply, which stays as it is until somebody saves */
  constructor(
    storedId: string,
    origin: Origin,
    fields: Fields | readonly string[],
    { isLoaded = true, loadedExpires, loadedCookie, loadedLease, outdated = NONE, values = [] }: Provenance = {},
  ) {
    this.storedId = storedId
    this.storedIds = [storedId]
    this.origin = origin
    this.isLoaded = isLoaded
    this.loadedExpires = loadedExpires
    this.loadedCookie = loadedCookie
    this.loadedLease = loadedLease
    this.outdated = outdated
    this.#fields = fields
    this.#values = fields instanceof Map ? new Map() : values
    // An HGETALL reply is never changed, a map is.
    this.#atLoad = fields instanceof Map ? new Map(fields) : fields
  }

  /** Fields that were sent and not confirmed: Redis may or may not hold them like that. */
  get uncertain(): Set<string> {
    this.#uncertain ??= new Set()
    return this.#uncertain
  }

  /** The fields as they were loaded, before this request saved anything. */
  get atLoad(): Fields {
    return this.#atLoad instanceof Map ? this.#atLoad : toMap(this.#atLoad)
  }

  get fields(): ReadonlyMap<string, string> {
    return this.#held()
  }

  /** The text that Redis holds for a value, if it is the very one that was loaded: that spares making it again. */
  textOf(field: string, value: unknown): string | undefined {
    const fields = this.#held()
    const values = this.#values as Map<string, unknown>
    return value !== undefined && Object.is(values.get(field), value) ? fields.get(field) : undefined
  }

  /** Redis holds this text now; undefined: the field no longer. */
  holds(field: string, text: string | undefined): void {
    const fields = this.#held()
    if (text === undefined) fields.delete(field)
    else fields.set(field, text)
    ;(this.#values as Map<string, unknown>).delete(field)
    this.uncertain.delete(field)
  }

  #held(): Fields {
    if (this.#fields instanceof Map) return this.#fields
    const reply = this.#fields
    const values = new Map<string, unknown>()
    for (const [i, value] of (this.#values as readonly unknown[]).entries()) {
      if (value !== undefined) values.set(reply[2 * i] as string, value)
    }
    this.#values = values
    this.#fields = toMap(reply)
    return this.#fields
  }

  /** Cheap enough for every request, which `fields` is not. */
  get hasCookieFields(): boolean {
    if (this.#fields instanceof Map) return [...this.#fields.keys()].some(isCookieField)
    if (this.loadedCookie !== undefined) return false
    for (let i = 0; i < this.#fields.length; i += 2) if (isCookieField(this.#fields[i] as string)) return true
    return false
  }
}

function toMap(reply: readonly string[]): Fields {
  const fields: Fields = new Map()
  for (let i = 0; i + 1 < reply.length; i += 2) {
    if (reply[i] !== BOOKKEEPING_FIELD) fields.set(reply[i] as string, reply[i + 1] as string)
  }
  return fields
}
