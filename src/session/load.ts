import { createHash } from 'node:crypto'
import { BOOKKEEPING_FIELD, type Bookkeeping, expiresAtMs, parseBookkeeping } from '../hash/bookkeeping.js'
import { decodeConnectRedisString } from '../hash/connect-redis-string.js'
import { CorruptHash, type DecodedHash, decodeHash, type LoadedSession } from '../hash/decode.js'
import { encodeProperties } from '../hash/encode.js'
import type { Fields } from '../hash/fields.js'
import { indexFields } from '../hash/index-fields.js'
import { handleOf } from '../ids/handle.js'
import { hasId } from '../ids/id-mapper.js'
import type { Context } from './context.js'
import { firstOf } from './first-found.js'
import { idleMs } from './idle-timeout.js'
import { hasArrived } from './leftovers.js'
import { readHash } from './read-hash.js'
import { type Loaded, SessionRecord } from './session-record.js'

/** Loads the session under any of its possible stored ids. */
export function loadFirst(context: Context, storedIds: readonly string[]): Promise<Loaded | null> {
  const loading = firstOf(storedIds, (storedId) => loadSession(context, storedId))
  if (storedIds.length === 1) return loading
  return loading.then((loaded) => {
    if (loaded !== null && hasId(storedIds)) loaded.record.storedIds = storedIds
    return loaded
  })
}

/**
 * Loads a session; null if there is none, or none that can be read. Sends HGETALL, and GET if the key is not a hash.
 */
export async function loadSession(context: Context, storedId: string, isAgain = false): Promise<Loaded | null> {
  // Nearly every session is a string then, and this saves a round trip. A hash is read again, as what it is.
  if (context.options.convert === 'never' && !isAgain) return loadString(context, storedId)
  const reply = await readHash(context, storedId)
  if (reply === null) return loadString(context, storedId, isAgain)
  if (reply.length === 0) return null
  const decoding = decodeOrAnnounce(context, storedId, reply)
  const decoded = decoding instanceof Promise ? await decoding : decoding
  if (decoded !== null) return loadedFrom(storedId, decoded, decoded.session)
  return !isAgain && isArriving(reply) && (await hasArrived(context, storedId))
    ? loadSession(context, storedId, true)
    : null
}

/** Whether a hash is moving here. It is no session yet, but may become one, or may have become one since. */
export function isArriving(reply: readonly string[]): boolean {
  const at = reply.findIndex((text, i) => i % 2 === 0 && text === BOOKKEEPING_FIELD)
  return at !== -1 && parseBookkeeping(reply[at + 1])?.isArriving === true
}

/** Makes a loaded session. A save of it is compared with what was decoded. */
export function loadedFrom(storedId: string, decoded: Omit<DecodedHash, 'session'>, session: LoadedSession): Loaded {
  const { meta, fields, generation, loadedExpires, loadedCookie, outdated } = decoded
  const provenance = { loadedExpires, loadedCookie, outdated }
  return { session, generation, record: new SessionRecord(storedId, { kind: 'hash', meta }, fields, provenance) }
}

/**
 * Decodes a hash. Returns null for a session that should have expired; emits `corrupt` and returns null for one that
 * cannot be read. Returns a promise if the serializer is asynchronous.
 */
export function decodeOrAnnounce(
  context: Context,
  storedId: string,
  reply: readonly string[],
): DecodedHash | null | Promise<DecodedHash | null> {
  const decoding = decodeHash(reply, context.options.serializer, context.codec.of(storedId))
  if (decoding instanceof Promise) return decoding.then((decoded) => presentOrAnnounce(context, storedId, decoded))
  return presentOrAnnounce(context, storedId, decoding)
}

function presentOrAnnounce(context: Context, storedId: string, decoded: DecodedHash | CorruptHash): DecodedHash | null {
  if (decoded instanceof CorruptHash) return unreadableHash(context, storedId, decoded)
  return isAbsent(context, decoded.meta) ? null : decoded
}

export function unreadableHash({ announcer }: Context, storedId: string, { reason, property }: CorruptHash): null {
  const named = property === undefined ? {} : { property }
  announcer.announce('corrupt', { handle: handleOf(storedId), reason, ...named })
  return null
}

/**
 * Whether a hash counts as absent. A copy that is arriving is not a session yet, and one that has moved away no longer
 * is one. A key outlives its session if Redis was not allowed to set a TTL, or if other processes keep it for their
 * `onEnd`: then the deadline must be checked here. If this process has `onEnd`, the script that read a kept key has
 * checked it already, by Redis's clock.
 */
export function isAbsent(context: Context, meta: Bookkeeping): boolean {
  if (meta.isArriving || meta.hasMoved || meta.hasEnded) return true
  const isOutlived = meta.unexpiring || (meta.isKept && context.endOfLife === undefined)
  return isOutlived && Date.now() >= expiresAtMs(meta, context.options.absoluteMs)
}

/** Loads a session from a key that does not hold a hash. */
export async function loadString(context: Context, storedId: string, isAgain = false): Promise<Loaded | null> {
  const key = context.keys.session(storedId)
  const text = await context.gateway.get(key)
  if (text === null) return null
  // Others may have converted it in between, there and back as well. So only Redis's word proves that it is neither.
  if (text === undefined && (!isAgain || FORMS.has(await context.gateway.type(key))))
    return loadSession(context, storedId, true)
  const loaded = text === undefined ? unreadableType(context, storedId) : await fromString(context, storedId, text)
  if (loaded !== null && context.options.indexes.length > 0) {
    context.strings.meet()
    if (!context.options.thorough) context.announcer.warnOnce('sessions-not-indexed', NOT_INDEXED)
  }
  return loaded
}

/** What the key of a session holds, or no longer holds. */
const FORMS: ReadonlySet<string> = new Set(['hash', 'string', 'none'])

function unreadableType({ announcer }: Context, storedId: string): null {
  announcer.announce('corrupt', { handle: handleOf(storedId), reason: 'type' })
  return null
}

const NOT_INDEXED =
  'there are sessions that connect-redis wrote: findBy, countBy, limit and destroyBy do not see them before their next request; ' +
  'destroyBy(index, value, { thorough: true }) ends them, too, and new RedisStore({ thorough: true }) makes that its default'

/**
 * Decodes a session that connect-redis wrote. If the text is no session, emits `corrupt` and returns null. If texts
 * must be encrypted, no such text counts as a session: connect-redis does not encrypt, so anybody who can write to
 * Redis can make one.
 */
export async function fromString(context: Context, storedId: string, text: string): Promise<Loaded | null> {
  const session = context.codec.acceptsPlaintext
    ? await decodeConnectRedisString(text, context.options.serializer)
    : null
  if (session === null) return unreadableType(context, storedId)
  const origin = { kind: 'string', sha1: sha1Of(text) } as const
  const fields = new Map([...encodeProperties(session, context.options.serializer), ...indexFieldsOf(context, session)])
  const loadedExpires = session.cookie?.expires
  const idle = idleMs(session, session.cookie, context.options, loadedExpires)
  // express-session replaces `session.cookie` by one of its own.
  const loadedLease = { idle, cookie: session.cookie && { ...session.cookie } }
  const record = new SessionRecord(storedId, origin, fields, { loadedExpires, loadedLease })
  return { session, record, generation: undefined }
}

/**
 * Computes the index fields, so that a save can tell which of them it changes. An error of an index function is ignored
 * here, because the save throws it again.
 */
function indexFieldsOf({ options }: Context, session: LoadedSession): Fields {
  try {
    return indexFields(options.indexes, session, new Map())
  } catch {
    return new Map()
  }
}

/** No string has this digest: a script that gets it answers with the string that is there. */
export const NO_STRING = '-'

/** Computes the digest by which scripts recognise a string. Equal to `redis.sha1hex` of Redis. */
export function sha1Of(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}
