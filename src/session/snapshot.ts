import { type EncodedCookie, encodeCookie } from '../hash/cookie.js'
import { encodeProperties, type KnownTexts } from '../hash/encode.js'
import type { Fields } from '../hash/fields.js'
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
import type { GoingOn } from './going-on.js'
import { idleMs } from './idle-timeout.js'
import type { SessionRecord } from './session-record.js'

/** How long a session may stay unused, and its cookie. */
export interface Lease {
  cookie: EncodedCookie
  /** Milliseconds; 0 or less: the session has expired. */
  idle: number
  /** Fields that say under which values the session is to be found. */
  indexed: Fields
  /** Both are as in the string of connect-redis's that was loaded; false of any other session. */
  isAsInString: boolean
}

/** A session at one moment, as Redis is to hold it. */
export interface Snapshot extends Lease {
  /** Properties, `@cookie` fields, and what middleware has marked the session with. */
  fields: Fields
  /** The session that this one goes on from, under a new id. */
  ancestor?: Ancestor | undefined
}

export interface Ancestor {
  /** Creation stamp; undefined: nobody wrote it down. */
  created: string | undefined
  /** Bytes of its properties, as `maxBytes` counts them. */
  bytes: number
  /** Undefined: it was never admitted. */
  goingOn?: GoingOn | undefined
}

/** @param record what is known of this session object; undefined if it was never loaded */
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
  const isLiteral = record === undefined && !isLiveCookie(cookie)
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
 * Taken in the very call of `set`: the session may go on changing while the write is under way.
 *
 * @param known texts that need not be made again
 */
export function snapshot(
  context: Context,
  session: AnySession,
  record: SessionRecord | undefined,
  marks: Fields = NONE,
  ancestor?: Ancestor,
  known: KnownTexts | undefined = record,
): Snapshot {
  const { cookie, idle, indexed, isAsInString } = lease(context, session, record)
  const fields = encodeProperties(session, context.options.serializer, known)
  for (const [field, text] of cookie.fields) fields.set(field, text)
  for (const [field, text] of marks) fields.set(field, text)
  for (const [field, text] of indexed) fields.set(field, text)
  return { cookie, idle, indexed, isAsInString, fields, ancestor }
}

/** Script argument: whether keys get a TTL, and by how many milliseconds they are to outlive their sessions. */
export function expiryMode({ options, endOfLife }: Context): 'expire' | 'none' | number {
  if (options.disableTTL) return 'none'
  return endOfLife === undefined ? 'expire' : options.keepMs
}

/** Whether keys outlive their sessions. */
export function outlives(context: Context): boolean {
  return typeof expiryMode(context) === 'number'
}
