import { type EncodedCookie, encodeCookie } from '../hash/cookie.js'
import { encodeProperties, type KnownTexts } from '../hash/encode.js'
import type { FieldList, Fields } from '../hash/fields.js'
import { indexFields } from '../hash/index-fields.js'
import {
  isLiveCookie,
  isSameCookie,
  isSameLifetime,
  isUntouched,
  type PlainCookie,
  plainCookie,
} from '../hash/live-cookie.js'
import type { AnySession } from '../hash/session-data.js'
import type { Context } from './context.js'
import type { Continuation } from './continuation.js'
import { idleMs } from './idle-timeout.js'
import type { SessionRecord } from './session-record.js'

/** The idle timeout of a session, its cookie, and its index fields. */
export interface Lease {
  cookie: EncodedCookie
  /** Milliseconds; 0 or less: the session has expired. */
  idle: number
  /** Index fields: the values under which the session is found. */
  indexed: Fields
  /** Whether cookie and idle timeout are as in the loaded string of connect-redis; false for any other session. */
  isAsInString: boolean
}

/** A session at one moment, in the form that Redis will hold. A class because it is kept (redis/clients/take-out.ts). */
export class Snapshot implements Lease {
  cookie: EncodedCookie
  idle: number
  indexed: Fields
  isAsInString: boolean
  /** Properties, `@cookie` fields, index fields, and the marks that middleware has set on the session. */
  fields: FieldList
  /** The session that this one continues under a new id. */
  ancestor?: Ancestor | undefined
  /** Nobody has the id of this session yet. */
  isNew?: boolean

  constructor({ cookie, idle, indexed, isAsInString }: Lease, fields: FieldList, ancestor: Ancestor | undefined) {
    this.cookie = cookie
    this.idle = idle
    this.indexed = indexed
    this.isAsInString = isAsInString
    this.fields = fields
    this.ancestor = ancestor
  }
}

export interface Ancestor {
  /** Creation stamp; undefined if it is unknown. */
  created: string | undefined
  /** Bytes of the properties, as `maxBytes` counts them. */
  bytes: number
  /** Undefined if the session was never admitted. */
  continuation?: Continuation | undefined
}

/** @param record record of this session object; undefined if the object was never loaded */
export function lease(context: Context, session: AnySession, record: SessionRecord | undefined): Lease {
  const { cookie } = session as { cookie?: unknown }
  if (record?.provenance.loadedCookie !== undefined && isUntouched(cookie, record.provenance.loadedCookie.plain)) {
    return {
      cookie: record.provenance.loadedCookie.encoded,
      idle: idleMs(session, cookie as PlainCookie, context.options),
      isAsInString: false,
      indexed: indexed(context, session, record),
    }
  }
  const plain = plainCookie(session)
  const idle = idleMs(session, plain, context.options, record?.provenance.loadedExpires)
  // A string holds `expires` as it is: nothing is there that it could be derived from.
  const isLiteral = (record === undefined || context.options.convert === 'never') && !isLiveCookie(cookie)
  return {
    cookie: encodeCookie(plain, idle, isLiteral),
    idle,
    isAsInString: isAsInString(record, idle, plain),
    indexed: indexed(context, session, record),
  }
}

function isAsInString(record: SessionRecord | undefined, idle: number, cookie: PlainCookie | undefined): boolean {
  const loaded = record?.origin.kind === 'string' ? record.provenance.loadedLease : undefined
  return loaded !== undefined && isSameLifetime(idle, loaded.idle) && isSameCookie(cookie, loaded.cookie)
}

const NONE: Fields = new Map()

function indexed(context: Context, session: AnySession, record: SessionRecord | undefined): Fields {
  const { indexes } = context.options
  return indexes.length === 0 ? NONE : indexFields(indexes, session, record?.indexFields ?? NONE)
}

/**
 * Takes a snapshot of a session. Must run synchronously in the call of `set`, because the session may change while the
 * write is under way.
 *
 * @param known texts that need not be serialized again
 */
export function snapshot(
  context: Context,
  session: AnySession,
  record: SessionRecord | undefined,
  marks: Fields = NONE,
  ancestor?: Ancestor,
  known: KnownTexts | undefined = record,
): Snapshot {
  const held = lease(context, session, record)
  const { cookie, indexed } = held
  const properties = encodeProperties(session, context.options.serializer, known)
  const hasMore = cookie.fields.length + marks.size + indexed.size > 0
  const fields = hasMore ? [...properties, ...cookie.fields, ...marks, ...indexed] : properties
  return new Snapshot(held, fields, ancestor)
}

/** Makes a script argument: whether keys get a TTL, or by how many milliseconds they outlive their sessions. */
export function expiryMode({ options, endOfLife }: Context): 'expire' | 'none' | number {
  if (options.disableTTL) return 'none'
  return endOfLife === undefined ? 'expire' : options.keepMs
}

/** Whether keys outlive their sessions. */
export function outlives(context: Context): boolean {
  return typeof expiryMode(context) === 'number'
}
