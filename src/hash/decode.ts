import { BOOKKEEPING_FIELD, type Bookkeeping, parseBookkeeping, RENEWAL_FIELD } from './bookkeeping.js'
import type { SessionCodec } from './codec.js'
import { isCookieField, type LoadedCookie, restoreCookie } from './cookie.js'
import { propertyOf } from './field-name.js'
import { LoadedFields } from './fields.js'
import type { PlainCookie } from './live-cookie.js'
import { type Generation, parseGeneration } from './renewal-field.js'
import { fromText, isThenable, type Serializer } from './serializer.js'

/** The plain data that `get` resolves. Its prototype is always `Object.prototype`. */
export type LoadedSession = Record<string, unknown> & { cookie?: PlainCookie | undefined }

/** Why a hash could not be decoded. `property` names the unreadable property. */
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
  /** Texts are decrypted. */
  fields: LoadedFields
  /** `cookie.expires` of the loaded session. */
  loadedExpires: PlainCookie['expires']
  /** The cookie as it was loaded, if flags describe all of it. */
  loadedCookie: LoadedCookie | undefined
  /** Fields that the next save must encrypt again, and their stored texts. */
  outdated: ReadonlyMap<string, string> | undefined
  /** undefined for a session that was never renewed. */
  generation: Generation | undefined
}

type Decoded = DecodedHash | CorruptHash

/**
 * Decodes the reply of HGETALL. One unreadable field makes the whole session unreadable, because the missing property
 * could be one that restricts the user.
 *
 * @param reply `[field, text, field, text, …]`
 * @returns a promise if the serializer is asynchronous
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
    else if (field === RENEWAL_FIELD) this.#generation = parseGeneration(text)
    else if (isCookieField(field)) {
      this.#cookiePieces ??= []
      this.#cookiePieces.push([field, text])
    }
  }

  /** Returns the value if a later save can compare it with `===`, otherwise undefined. */
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
    // Assign the property now, so that properties keep their order.
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
    // With an unreadable generation, a stolen id could not be distinguished from the current one.
    if (meta === null || generation === null) return new CorruptHash('bookkeeping')
    if (this.#unreadable !== undefined || isRejected) return new CorruptHash('field', this.#unreadable)
    const session = this.#session
    let loadedCookie: LoadedCookie | undefined
    try {
      loadedCookie = this.#readCookie(meta)
    } catch {
      return new CorruptHash('bookkeeping')
    }
    const fields = new LoadedFields(this.#plain ?? this.#reply, this.#values.slice())
    const outdated = this.#outdated
    return { meta, session, fields, loadedExpires: session.cookie?.expires, loadedCookie, outdated, generation }
  }

  /** @throws SyntaxError if the cookie cannot be read */
  #readCookie(meta: Bookkeeping): LoadedCookie | undefined {
    const pieces = this.#cookiePieces
    const cookie = restoreCookie(meta, pieces === undefined ? '' : joinPieces(pieces))
    if (cookie === undefined) {
      delete this.#session.cookie
      return undefined
    }
    this.#session.cookie = cookie
    // Keep a copy, because the application may change the session's own cookie.
    return pieces === undefined ? { plain: { ...cookie }, encoded: { flags: meta.flags, fields: [] } } : undefined
  }
}

/** Joins the texts of the `@cookie` fields. Redis returns the fields of a large hash in any order. */
export function joinPieces(pieces: [string, string][]): string {
  const place = (field: string) => Number(field.split('.')[1] ?? 0)
  const texts = pieces.sort(([a], [b]) => place(a) - place(b)).map(([, text]) => text)
  // A parallel request may have left pieces of a longer cookie. The first piece has the number of pieces of this one.
  const [head = '', count] = /^(\d+):/.exec(texts[0] ?? '') ?? []
  return texts
    .slice(0, Number(count ?? texts.length))
    .join('')
    .slice(head.length)
}
