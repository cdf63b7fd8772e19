import type { SessionData } from 'express-session'
import type { DestroyReason } from './events.js'
import { ENCRYPTION_MUST_BE, type Encryption, isEncryption } from './hash/encryption.js'
import type { Indexes } from './hash/index-fields.js'
import type { Serializer } from './hash/serializer.js'
import type { SessionContent, Whatever } from './hash/session-content.js'
import type { AnySession } from './hash/session-data.js'
import type { HashIds } from './ids/id-mapper.js'
import { checkNames } from './known-options.js'
import { isRedisClient, type RedisClient } from './redis/client.js'
import { foreignClient } from './redis/foreign-client.js'
import type { EndedSession, SessionInfo } from './session-info.js'

/**
 * @typeParam Data what the application keeps in its sessions: by default, what it has added to express-session's `SessionData`
 * @typeParam Index the names of `indexes`, from which the compiler infers it
 */
export interface RedisStoreOptions<Data extends object = SessionData, Index extends string = string> {
  /** ioredis `Redis` or `Cluster`, version 5 or 6. Yours: the store never closes it. */
  client: RedisClient
  /** Session key = prefix + id. Default `'sess:'`. No prefix of another store may begin with it. */
  prefix?: string
  /** Idle timeout in seconds where the cookie has no `maxAge`: a number, or a function of the session. Default 86400. */
  ttl?: number | ((session: SessionContent<Data>) => number)
  /**
   * Seconds. Sliding expiry is refreshed at most this often per session, 0 = at every request. Never more than half the
   * idle timeout, or a session could end under an active user. Default: 60, or a twentieth of the idle timeout if that
   * is less.
   */
  touchInterval?: number
  /** Reading does not prolong a session; only saving does. Default false. */
  disableTouch?: boolean
  /** Sessions never expire. Their keys stay until destroyed: only for a store that is cleaned by other means. */
  disableTTL?: boolean
  /** Seconds from creation after which the session ends, whatever happens. Default: none. */
  absoluteTimeout?: number
  /**
   * Keep only a digest of the session id in Redis, so that a dump of it does not log anyone in (CVE-2019-16782):
   * `true` for SHA-256, or a secret or list of secrets (current first) for HMAC-SHA256. Sessions that older secrets of
   * the list named move under the current one when they are used. Default false.
   */
  hashIds?: HashIds
  /**
   * With `hashIds`: also accept sessions stored before ids were hashed, and move them when they are used. Default false.
   * WARNING: as long as this is true, ids read from a dump made before (session hijacking, CVE-2019-16782) still name
   * their sessions. Remove it once `ttl` has passed.
   */
  acceptPlainIds?: boolean
  /** Text form of one property. Default JSON. */
  serializer?: Serializer
  /** Encrypt what sessions hold before it goes to Redis, property by property: AES-256-GCM. Default: none. */
  encryption?: Encryption
  /**
   * Values under which sessions can be found: index name -> function of the session, e.g. `{ user: (s) => s.userId }`.
   * Names begin with a letter and have at most 32 letters, digits and underscores. Redis holds the values as they are.
   * Default: none.
   */
  indexes?: Readonly<Record<Index, (session: SessionContent<Data>) => IndexValue | readonly IndexValue[]>>
  /**
   * How many sessions there may be under one value of an index, e.g. `{ index: 'user', max: 3, onExceed: 'evict' }`. One
   * login more ends the session least recently seen (`'evict'`), or fails with `ERR_SESSION_LIMIT` (`'reject'`). Default:
   * none.
   */
  limit?: Limit<NoInfer<Index>>
  /**
   * Tell other processes which sessions have ended (`ended` event, `store.watch`), over Redis pub/sub and a connection of
   * its own. Default false.
   */
  broadcast?: boolean
  /**
   * Count the different users (by the index `user`) and sessions that are active in each minute, hour and day:
   * `store.activity.read(...)`. Costs no request a round trip. Default false.
   */
  activity?: boolean
  /**
   * Whether a session that was loaded may still be used, asked at every request, e.g. whether the user's password has
   * not changed since: `(session, info) => boolean`, or a promise of it. false: the session is ended and counts as absent.
   * What it throws fails the request. Its time is its own, `timeout` does not count it. Default: none.
   */
  validate?: (session: SessionContent<Data>, info: SessionInfo) => boolean | Promise<boolean>
  /**
   * Gets the last content of every session that has ended, and why, for archives: `async ({ session, info }, reason)`. At
   * least once, in one of the processes; what it throws makes it be called again a minute later. Also for sessions
   * that expire while no process runs, up to 24 hours: for so long their keys outlive them. Every process that uses these
   * sessions needs it. Not called for a rotation: the session goes on. Default: none.
   */
  onEnd?: (ended: EndedSession<Data>, reason: DestroyReason) => void | Promise<void>
  /**
   * How many replicas must have confirmed the end of a session before `destroy`, `destroyBy`, `regenerate` or a rotation
   * succeeds (WAIT, on a connection of its own); otherwise `ERR_SESSION_NOT_REPLICATED`. Default 0: the master's word counts.
   */
  replicas?: number
  /**
   * Keep loaded sessions in this process, so that a request that only reads asks Redis nothing: at most `max` of them,
   * each for at most `maxAge` seconds. Redis tells what changes (CLIENT TRACKING); docs/near-cache.md says how soon a logout
   * in one process is known in all others. Properties are then held in this process's memory, decrypted. Default: none.
   */
  cache?: NearCacheOptions
  /** Milliseconds after which a store operation fails with `ERR_SESSION_TIMEOUT`. Default 1000. */
  timeout?: number
  /**
   * `'error'` (default): requests fail with status 503 while Redis is away. `'anonymous'`: they go on with
   * `req.session` undefined. WARNING: with `'anonymous'` every handler must treat a missing session as "not logged in".
   */
  onUnavailable?: 'error' | 'anonymous'
  /** Bytes that the properties of a session may have in Redis, names and values. What would make it larger is refused. Default 1 MiB. */
  maxBytes?: number
  /** COUNT of the SCAN behind `all`, `ids`, `length`, `clear` and `scan`. Default 100. */
  scanCount?: number
}

/** Options of any store. */
export type AnyStoreOptions = RedisStoreOptions<Whatever, Whatever>

/** null and undefined: under none. */
export type IndexValue = string | number | bigint | null | undefined

export interface Limit<Index extends string = string> {
  /** One of `indexes`. */
  index: Index
  /** Sessions for each of its values. */
  max: number
  onExceed: 'evict' | 'reject'
}

export interface NearCacheOptions {
  /** Sessions that are kept; the one that was not asked for the longest goes first. */
  max: number
  /** Seconds for which one is kept, also if Redis tells of no change. */
  maxAge: number
}

export interface NearCacheLimits {
  /** Sessions. */
  max: number
  maxAgeMs: number
}

/** Every option, in internal units. */
export interface ResolvedOptions {
  client: RedisClient
  prefix: string
  ttl: number | ((session: AnySession) => number)
  touchIntervalMs: number | undefined
  disableTouch: boolean
  disableTTL: boolean
  absoluteMs: number | undefined
  hashIds: HashIds
  acceptPlainIds: boolean
  serializer: Serializer
  encryption: Encryption | undefined
  indexes: Indexes
  limit: Limit | undefined
  validate: AnyStoreOptions['validate']
  activity: boolean
  broadcast: boolean
  onEnd: AnyStoreOptions['onEnd'] | undefined
  /** For how long the content of a session that has ended is there for `onEnd`. */
  keepMs: number
  replicas: number
  cache: NearCacheLimits | undefined
  timeoutMs: number
  onUnavailable: 'error' | 'anonymous'
  maxBytes: number
  scanCount: number
}

export const DEFAULTS = Object.freeze({
  prefix: 'sess:',
  ttl: 86_400,
  disableTouch: false,
  disableTTL: false,
  hashIds: false,
  acceptPlainIds: false,
  activity: false,
  broadcast: false,
  serializer: JSON as Serializer,
  replicas: 0,
  timeout: 1000,
  onUnavailable: 'error',
  maxBytes: 1024 * 1024,
  scanCount: 100,
} as const)

/** A day: for how long `onEnd` may be late. */
const KEEP_MS = 24 * 60 * 60 * 1000

const INDEX_NAME = /^[A-Za-z]\w{0,31}$/

type Check = (value: unknown) => string | undefined

const must =
  (ok: (value: unknown) => boolean, be: string): Check =>
  (value) =>
    ok(value) ? undefined : be
const isFinitePositive = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value > 0
const isSecret = (value: unknown) => typeof value === 'string' && value.length > 0
const boolean = must((value) => typeof value === 'boolean', 'true or false')
const positiveInteger = must((value) => Number.isInteger(value) && (value as number) > 0, 'a whole number above 0')

/** The compiler keeps this map complete; a name that is not in it is a typing mistake of the caller's. */
const CHECKS: { [Name in keyof Required<RedisStoreOptions>]: Check } = {
  client: (value) =>
    isRedisClient(value) ? undefined : `an ioredis Redis or Cluster client, e.g. new Redis(url)${foreignClient(value)}`,
  prefix: must((value) => typeof value === 'string' && value.length > 0, 'a non-empty string'),
  ttl: must(
    (value) => typeof value === 'function' || isFinitePositive(value),
    'seconds above 0, or a function that returns them',
  ),
  touchInterval: must(
    (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
    'seconds, 0 or more',
  ),
  disableTouch: boolean,
  disableTTL: boolean,
  absoluteTimeout: must(isFinitePositive, 'seconds above 0'),
  hashIds: must(
    (value) =>
      typeof value === 'boolean' ||
      isSecret(value) ||
      (Array.isArray(value) && value.length > 0 && value.every((way) => way === true || isSecret(way))),
    'true, false, a non-empty secret, or a list of them',
  ),
  acceptPlainIds: boolean,
  serializer: must((value) => {
    const serializer = value as Partial<Serializer> | null
    return typeof serializer?.parse === 'function' && typeof serializer.stringify === 'function'
  }, 'an object with the functions stringify and parse'),
  encryption: must(isEncryption, ENCRYPTION_MUST_BE),
  indexes: must(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.entries(value).every(([name, extract]) => INDEX_NAME.test(name) && typeof extract === 'function'),
    'an object: names of at most 32 letters, digits and underscores -> functions of the session',
  ),
  limit: must((value) => {
    const { index, max, onExceed, ...others } = (value ?? {}) as Partial<Limit>
    const isMax = Number.isInteger(max) && (max as number) > 0
    return (
      typeof index === 'string' && isMax && /^(evict|reject)$/.test(String(onExceed)) && !Object.keys(others).length
    )
  }, "{ index, max, onExceed }: one of the indexes, a whole number above 0, and 'evict' or 'reject'"),
  activity: boolean,
  broadcast: boolean,
  onEnd: must((value) => typeof value === 'function', 'a function of { session, info } and reason'),
  validate: must((value) => typeof value === 'function', 'a function of session and info that returns true or false'),
  replicas: must((value) => Number.isInteger(value) && (value as number) >= 0, 'a whole number, 0 or more'),
  cache: must((value) => {
    const { max, maxAge, ...others } = (value ?? {}) as Partial<NearCacheOptions>
    return Number.isInteger(max) && (max as number) > 0 && isFinitePositive(maxAge) && !Object.keys(others).length
  }, '{ max, maxAge }: a whole number of sessions above 0, and seconds above 0'),
  timeout: must((value) => isFinitePositive(value) && (value as number) <= 2 ** 31 - 1, 'milliseconds above 0'),
  onUnavailable: must((value) => value === 'error' || value === 'anonymous', "'error' or 'anonymous'"),
  maxBytes: positiveInteger,
  scanCount: positiveInteger,
}

/** Whether the store has an option of this name. */
export function isStoreOption(name: string): name is keyof RedisStoreOptions {
  return Object.hasOwn(CHECKS, name)
}

/** @throws TypeError that names the option and says what it must be */
export function resolveOptions(options: AnyStoreOptions): ResolvedOptions {
  if (isRedisClient(options)) throw new TypeError('RedisStore takes an options object: new RedisStore({ client })')
  checkNames('RedisStore', options, CHECKS, 'new RedisStore({ client: new Redis() })')
  for (const [name, value] of Object.entries(options)) {
    const be = value === undefined ? undefined : CHECKS[name as keyof RedisStoreOptions](value)
    if (be !== undefined) throw new TypeError(`"${name}" option must be ${be}`)
  }
  if (options.client === undefined) throw new TypeError(`"client" option must be ${CHECKS.client(undefined)}`)
  if (options.disableTTL === true && options.absoluteTimeout !== undefined) {
    throw new TypeError('"absoluteTimeout" option cannot be combined with "disableTTL": the key\'s own TTL enforces it')
  }
  if (options.acceptPlainIds === true && (options.hashIds ?? false) === false) {
    throw new TypeError('"acceptPlainIds" option makes sense only with "hashIds"')
  }
  if (options.limit !== undefined && !Object.hasOwn(options.indexes ?? {}, options.limit.index)) {
    throw new TypeError(`"limit.index" option must be one of "indexes": there is no "${options.limit.index}"`)
  }
  return {
    client: options.client,
    prefix: options.prefix ?? DEFAULTS.prefix,
    ttl: (options.ttl ?? DEFAULTS.ttl) as ResolvedOptions['ttl'],
    touchIntervalMs: options.touchInterval === undefined ? undefined : options.touchInterval * 1000,
    disableTouch: options.disableTouch ?? DEFAULTS.disableTouch,
    disableTTL: options.disableTTL ?? DEFAULTS.disableTTL,
    absoluteMs: options.absoluteTimeout === undefined ? undefined : Math.round(options.absoluteTimeout * 1000),
    hashIds: options.hashIds ?? DEFAULTS.hashIds,
    acceptPlainIds: options.acceptPlainIds ?? DEFAULTS.acceptPlainIds,
    serializer: options.serializer ?? DEFAULTS.serializer,
    encryption: options.encryption,
    indexes: Object.entries(options.indexes ?? {}),
    limit: options.limit,
    validate: options.validate,
    activity: options.activity ?? DEFAULTS.activity,
    broadcast: options.broadcast ?? DEFAULTS.broadcast,
    onEnd: options.onEnd,
    keepMs: KEEP_MS,
    replicas: options.replicas ?? DEFAULTS.replicas,
    cache: options.cache && { max: options.cache.max, maxAgeMs: options.cache.maxAge * 1000 },
    timeoutMs: options.timeout ?? DEFAULTS.timeout,
    onUnavailable: options.onUnavailable ?? DEFAULTS.onUnavailable,
    maxBytes: options.maxBytes ?? DEFAULTS.maxBytes,
    scanCount: options.scanCount ?? DEFAULTS.scanCount,
  }
}
