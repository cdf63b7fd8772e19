import { BOOKKEEPING_FIELD, type Bookkeeping, parseBookkeeping } from './bookkeeping.js'
import type { SessionCodec } from './codec.js'
import { isCookieField, type LoadedCookie, restoreCookie } from './cookie.js'
import { propertyOf } from './field-name.js'
import { LoadedFields } from './fields.js'
import type { PlainCookie } from './live-cookie.js'
import { GENERATION_FIELD, type Generation, parseGeneration } from './renewal-field.js'
import { fromText, isThenable, type Serializer } from './serializer.js'

/** The plain data `get` resolves: what JSON would give back, never an object with a foreign prototype. */
export type LoadedSession = Record<string, unknown> & { cookie?: PlainCookie | undefined }

/** Why a hash is not a session. `property` names the one that could not be read. */
export class CorruptHash {
  readonly reason: 'bookkeeping' | 'field'
  readonly property: string | undefined
  constructor(reason: 'bookkeeping' | 'field', property?: string) {
    this.reason = reason
    this.property = property
  }
}

export interface DecodedHash {
  meta: Bookkeeping
  session: LoadedSession
  /** Texts are those of the serializer, also where Redis holds them encrypted. */
  fields: LoadedFields
  /** `cookie.expires` as handed out. */
  loadedExpires: PlainCookie['expires']
  /** The cookie as it was loaded, where flags say all of it. */
  loadedCookie: LoadedCookie | undefined
  /** Fields to be encrypted anew, and what they held. */
  outdated: ReadonlyMap<string, string> | undefined
  /** undefined for a session that was never renewed. */
  generation: Generation | undefined
}

type Decoded = DecodedHash | CorruptHash

/**
 * Reads a session out of `HGETALL`. A single unreadable field makes the whole session unreadable: half a session could
 * be one that lacks a restriction.
 *
 * @param reply `[field, text, field, text, …]`
 * @returns a promise if the serializer takes its time
 */
export function decodeHash(
  reply: readonly string[],
  serializer: Serializer,
  codec: SessionCodec,
): Decoded | Promise<Decoded> {
  return new HashReader(reply, serializer, codec).read()
}

/** Reads one reply, field by field. */
class HashReader {
  readonly #reply: readonly string[]
  readonly #serializer: Serializer
  readonly #codec: SessionCodec
  // The cookie comes first, as in a session that express-session made.
  readonly #session: LoadedSession = { cookie: undefined }
  readonly #values: unknown[] = []
  #meta: Bookkeeping | null = null
  #generation: Generation | null | undefined
  #cookiePieces: [field: string, text: string][] | undefined
  /** The reply with decrypted texts; copied when the first one differs. */
  #plain: string[] | undefined
  #outdated: Map<string, string> | undefined
  #pending: Promise<void>[] | undefined
  #unreadable: string | undefined

  constructor(reply: readonly string[], serializer: Serializer, codec: SessionCodec) {
    this.#reply = reply
    this.#serializer = serializer
    this.#codec = codec
  }

  read(): Decoded | Promise<Decoded> {
    const reply = this.#reply
    for (let i = 0; i + 1 < reply.length; i += 2) {
      const field = reply[i] as string
      const property = propertyOf(field)
      this.#values.push(property === undefined ? undefined : this.#readProperty(property, field, i + 1))
      if (property === undefined) this.#readBookkeeping(field, reply[i + 1] as string)
    }
    if (this.#pending === undefined) return this.#finish(false)
    return Promise.allSettled(this.#pending).then((all) =>
      this.#finish(all.some(({ status }) => status === 'rejected')),
    )
  }

  #readBookkeeping(field: string, text: string): void {
    if (field === BOOKKEEPING_FIELD) this.#meta = parseBookkeeping(text)
    else if (field === GENERATION_FIELD) this.#generation = parseGeneration(text)
    else if (isCookieField(field)) {
      this.#cookiePieces ??= []
      this.#cookiePieces.push([field, text])
    }
  }

  /** Returns the value if a later save can compare it at a glance. */
  #readProperty(property: string, field: string, at: number): unknown {
    const text = this.#reply[at] as string
    try {
      const decoded = this.#codec.decode(field, text)
      if (decoded.isOutdated) {
        this.#outdated ??= new Map()
        this.#outdated.set(field, text)
      }
      if (decoded.text !== text) {
        this.#plain ??= [...this.#reply]
        this.#plain[at] = decoded.text
      }
      const value = fromText(this.#serializer, decoded.text)
      if (isThenable(value)) {
        this.#await(property, value)
        return undefined
      }
      this.#session[property] = value
      return typeof value === 'object' || typeof value === 'function' ? undefined : value
    } catch {
      this.#unreadable ??= property
      return undefined
    }
  }

  #await(property: string, value: PromiseLike<unknown>): void {
    const session = this.#session
    // Claims its place now, so that properties keep their order.
    session[property] = undefined
    this.#pending ??= []
    this.#pending.push(
      Promise.resolve(value).then((parsed) => {
        session[property] = parsed
      }),
    )
  }

  #finish(isRejected: boolean): Decoded {
    const meta = this.#meta
    const generation = this.#generation
    // Without it nobody can tell a stolen id from the current one.
    if (meta === null || generation === null) return new CorruptHash('bookkeeping')
    if (this.#unreadable !== undefined || isRejected) return new CorruptHash('field', this.#unreadable)
    const session = this.#session
    let loadedCookie: LoadedCookie | undefined
    try {
      loadedCookie = this.#readCookie(meta)
    } catch {
      return new CorruptHash('bookkeeping')
    }
    const fields = new LoadedFields(this.#plain ?? this.#reply, this.#values)
    const outdated = this.#outdated
    return { meta, session, fields, loadedExpires: session.cookie?.expires, loadedCookie, outdated, generation }
  }

  /** @throws SyntaxError if it cannot be read */
  #readCookie(meta: Bookkeeping): LoadedCookie | undefined {
    const pieces = this.#cookiePieces
    const cookie = restoreCookie(meta, pieces === undefined ? '' : joinPieces(pieces))
    if (cookie === undefined) {
      delete this.#session.cookie
      return undefined
    }
    this.#session.cookie = cookie
    // A copy: the session's own is the application's to change.
    return pieces === undefined ? { plain: { ...cookie }, encoded: { flags: meta.flags, fields: [] } } : undefined
  }
}

/** A hash in hash-table encoding answers in any order. */
function joinPieces(pieces: [string, string][]): string {
  const place = (field: string) => Number(field.split('.')[1] ?? 0)
  const texts = pieces.sort(([a], [b]) => place(a) - place(b)).map(([, text]) => text)
  // A longer cookie of a parallel request may have left pieces behind; the first piece says how many are of this one.
  const [head = '', count] = /^(\d+):/.exec(texts[0] ?? '') ?? []
  return texts
    .slice(0, Number(count ?? texts.length))
    .join('')
    .slice(head.length)
}
