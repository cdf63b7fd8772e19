import type { LoadedCookie } from '../session/session-record.js'
import { BOOKKEEPING_FIELD, type Bookkeeping, parseBookkeeping } from './bookkeeping.js'
import type { SessionCodec } from './codec.js'
import { isCookieField, restoreCookie } from './cookie.js'
import { propertyOf } from './field-name.js'
import { LoadedFields } from './fields.js'
import { GENERATION_FIELD, type Generation, parseGeneration } from './renewal-field.js'
import { fromText, isThenable, type Serializer } from './serializer.js'
import type { PlainCookie } from './session-data.js'

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
): DecodedHash | CorruptHash | Promise<DecodedHash | CorruptHash> {
  let meta: Bookkeeping | null = null
  let generation: Generation | null | undefined
  const cookiePieces: [string, string][] = []
  // The cookie comes first, as in a session that express-session made.
  const session: LoadedSession = { cookie: undefined }
  let pending: Promise<void>[] | undefined
  let unreadable: string | undefined
  let plain = reply
  const values: unknown[] = []
  let outdated: Map<string, string> | undefined

  for (let i = 0; i + 1 < reply.length; i += 2) {
    const field = reply[i] as string
    const text = reply[i + 1] as string
    values.push(undefined)
    if (field === BOOKKEEPING_FIELD) {
      meta = parseBookkeeping(text)
      continue
    }
    const property = propertyOf(field)
    if (property === undefined) {
      if (isCookieField(field)) cookiePieces.push([field, text])
      else if (field === GENERATION_FIELD) generation = parseGeneration(text)
      continue
    }
    try {
      const decoded = codec.decode(field, text)
      if (decoded.isOutdated) outdated = (outdated ?? new Map<string, string>()).set(field, text)
      if (decoded.text !== text) {
        if (plain === reply) plain = [...reply]
        ;(plain as string[])[i + 1] = decoded.text
      }
      const value = fromText(serializer, decoded.text)
      if (isThenable(value)) {
        // Claims its place now, so that properties keep their order.
        session[property] = undefined
        pending ??= []
        pending.push(Promise.resolve(value).then((parsed) => assign(session, property, parsed)))
      } else {
        assign(session, property, value)
        if (typeof value !== 'object' && typeof value !== 'function') values[i / 2] = value
      }
    } catch {
      unreadable ??= property
    }
  }
  const finish = (isRejected: boolean): DecodedHash | CorruptHash => {
    // Without it nobody can tell a stolen id from the current one.
    if (meta === null || generation === null) return new CorruptHash('bookkeeping')
    if (unreadable !== undefined || isRejected) return new CorruptHash('field', unreadable)
    let loadedCookie: LoadedCookie | undefined
    try {
      const cookie = restoreCookie(meta, cookiePieces.length > 0 ? joinPieces(cookiePieces) : '')
      if (cookie === undefined) delete session.cookie
      else session.cookie = cookie
      if (cookie !== undefined && cookiePieces.length === 0) {
        // The session's own is the application's to change.
        loadedCookie = { plain: { ...cookie }, encoded: { flags: meta.flags, fields: [] } }
      }
    } catch {
      return new CorruptHash('bookkeeping')
    }
    const fields = new LoadedFields(plain, values)
    return { meta, session, fields, loadedExpires: session.cookie?.expires, loadedCookie, outdated, generation }
  }
  if (pending === undefined) return finish(false)
  return Promise.allSettled(pending).then((all) => finish(all.some(({ status }) => status === 'rejected')))
}

function assign(session: LoadedSession, property: string, value: unknown): void {
  session[property] = value
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
