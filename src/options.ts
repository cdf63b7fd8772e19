import type { SessionData } from 'express-session'
import type { DestroyReason } from './events.js'
import { ENCRYPTION_MUST_BE, type Encryption, isEncryption } from './hash/encryption.js'
import { isProperty } from './hash/field-name.js'
import type { Indexes } from './hash/index-fields.js'
import type { Serializer } from './hash/serializer.js'
import type { PropertyName, SessionContent, SessionProperties, Whatever } from './hash/session-content.js'
import type { AnySession } from './hash/session-data.js'
import type { HashIds } from './ids/id-mapper.js'
import { checkNames } from './known-options.js'
import type { Client } from './redis/client.js'
import { clientOf, isRedisClient } from './redis/clients/client-of.js'
import { foreignClient } from './redis/clients/foreign-client.js'
import type { RedisClient } from './redis/clients/redis-client.js'
import type { EndedSession, SessionInfo } from './session-info.js'

/**
 * The options of `new RedisStore()`. Only `client` is required.
 *
 * @typeParam Data type of the session's content. Default: express-session's `SessionData`, to which applications add
 *   their properties
 * @typeParam Index names of the indexes; the compiler infers them from `indexes`
 */
export interface RedisStoreOptions<Data extends object = SessionData, Index extends string = string> {
  /**
   * A client of ioredis 5 or 6 or of iovalkey (`Redis`, `Cluster`), or of node-redis 5 or 6 (`createClient`,
   * `createCluster`, `createSentinel`). You connect and close it; the store does neither.
   */
  client: RedisClient
  /**
   * The beginning of the keys of sessions: a key is prefix + id. No other store's prefix may begin with this one.
   * Default `'sess:'`.
   */
  prefix?: string
  /**
   * Idle timeout: how many seconds a session lives without a request, if its cookie has no `maxAge`. A number, or a
   * function of the session that returns one. Default 86400.
   */
  ttl?: number | ((session: SessionContent<Data>) => number)
  /**
   * Minimum number of seconds between two refreshes of a session's expiry; 0 refreshes it at every request. The store
   * uses at most half the idle timeout, because otherwise a session could end while its user is active. Default: 60, or
   * a twentieth of the idle timeout if that is less.
   */
  touchInterval?: number
  /** true: requests that only read a session do not prolong it; those that save it do. Default false. */
  disableTouch?: boolean
  /**
   * true: sessions do not expire; their keys stay until the sessions are destroyed. Use this only if something else
   * deletes old sessions. `absoluteTimeout` cannot be set as well. Default false.
   */
  disableTTL?: boolean
  /** How many seconds a session lives in all, even if it is in use. Default: no limit. */
  absoluteTimeout?: number
  /**
   * Stores only a digest of the session id in Redis, so that nobody can log in with ids from a dump of Redis
   * (CVE-2019-16782). `true` for SHA-256; for HMAC-SHA256 a secret, or a list of secrets, current first. A session that
   * was stored under an older secret of the list moves to the current one when it is used. Default false.
   */
  hashIds?: HashIds
  /**
   * With `hashIds`: true also accepts sessions that were stored before ids were hashed, and moves them when they are
   * used. Default false. WARNING: while this is true, ids from an older dump of Redis are still accepted (session
   * hijacking, CVE-2019-16782). Remove the option once `ttl` has passed.
   */
  acceptPlainIds?: boolean
  /** Turns each property of a session into text and back. Default JSON. */
  serializer?: Serializer
  /** Encrypts each property of a session with AES-256-GCM before it is sent to Redis. Default: no encryption. */
  encryption?: Encryption
  /**
   * Functions that return the values by which sessions can be found, by name of the index, e.g.
   * `{ user: (s) => s.userId }`. A name begins with a letter and has at most 32 letters, digits and underscores. Redis
   * stores the values unencrypted. Default: none.
   */
  indexes?: Readonly<Record<Index, (session: SessionContent<Data>) => IndexValue | readonly IndexValue[]>>
  /**
   * Maximum number of sessions for each value of an index, e.g. `{ index: 'user', max: 3, onExceed: 'evict' }`. One
   * more login ends the session that was seen least recently (`'evict'`), or fails with `ERR_SESSION_LIMIT`
   * (`'reject'`). Default: no limit.
   */
  limit?: Limit<NoInfer<Index>>
  /**
   * Which properties the store merges if two requests change them at the same time: `true` (all but those that
   * `indexes` and the principal of `rotateOnLogin` read), a list of names, or an object with a value for each name:
   * true, or a function `(base, theirs, mine) => value` (undefined removes the property). Objects are merged key by
   * key. Default: none, the last save wins.
   */
  merge?: MergeOption<NoInfer<Data>>
  /**
   * true: the store tells other processes which sessions have ended, for the `ended` event and `store.watch`. It uses
   * Redis pub/sub and an additional connection. Default false.
   */
  broadcast?: boolean
  /**
   * true: the store counts how many different users (by the index `user`) and sessions are active in each minute, hour
   * and day, for `store.activity.read(...)`. This adds no round trip to requests. Default false.
   */
  activity?: boolean
  /**
   * The store calls this function at every request with the loaded session. It returns a boolean, or a promise of one:
   * `(session, info) => boolean`. false ends the session, e.g. if the user has changed their password since; the
   * request then has no session. If it throws, the request fails. It may take ten times `timeout`. Default: none.
   */
  validate?: (session: SessionContent<Data>, info: SessionInfo) => boolean | Promise<boolean>
  /**
   * The store calls this function with the last content of every session that has ended, and the reason, e.g. for an
   * archive: `async ({ session, info }, reason)`. One of the processes calls it, at least once for each session, and
   * again if it throws or takes longer than a minute. It also hears of sessions that expire while no process runs, if a
   * process starts within 24 hours; their keys stay in Redis until then. Set it in every process that uses these
   * sessions. It does not hear of a rotation, which does not end a session. Default: none.
   */
  onEnd?: (ended: EndedSession<Data>, reason: DestroyReason) => void | Promise<void>
  /**
   * How many replicas must confirm the end of a session before `destroy`, `destroyBy`, `regenerate` or a rotation
   * succeeds; with fewer, it fails with `ERR_SESSION_NOT_REPLICATED`. Uses WAIT on an additional connection. Default 0:
   * the answer of the master is enough.
   */
  replicas?: number
  /**
   * Keeps loaded sessions in the memory of this process (decrypted), so that a request that only reads its session
   * sends nothing to Redis: at most `max` sessions, each for at most `maxAge` seconds. Redis reports changes (CLIENT
   * TRACKING). docs/near-cache.md says how soon other processes learn of a logout. Default: no cache.
   */
  cache?: NearCacheOptions
  /**
   * Milliseconds after which an operation on a session fails with `ERR_SESSION_TIMEOUT`. For an operation on many
   * sessions, such as `scan`, it limits each step. Default 1000.
   */
  timeout?: number
  /**
   * What happens to requests while Redis is unavailable. `'error'`: they fail with status 503. `'anonymous'`: they go
   * on with `req.session` undefined. WARNING: with `'anonymous'`, every handler must treat a missing session as "not
   * logged in". Default `'error'`.
   */
  onUnavailable?: 'error' | 'anonymous'
  /**
   * Maximum size of a session's properties in Redis, in bytes of names and values. If a write would make a session
   * larger, and larger than this, it fails with `ERR_SESSION_TOO_LARGE`. Default 1048576 (1 MiB).
   */
  maxBytes?: number
  /**
   * When the store turns a string that connect-redis wrote into a hash, which connect-redis cannot read. `'on-touch'`:
   * at the first request that has to store something, such as an index value. `'on-save'`: when a request changes the
   * session. `'never'`: the store reads and writes strings only, for new sessions as well, so that servers with
   * connect-redis and servers with this store can serve the same visitors. docs/migrating.md says what the store lacks
   * meanwhile. Default `'on-touch'`.
   */
  convert?: 'on-touch' | 'on-save' | 'never'
  /**
   * The default of the option `thorough` of `destroyBy`. Set it to true while sessions that connect-redis wrote may
   * exist. Default false.
   */
  thorough?: boolean
  /** COUNT argument of the SCAN commands with which the store walks through all keys. Default 100. */
  scanCount?: number
}

/** Options of any store. */
export type AnyStoreOptions = RedisStoreOptions<Whatever, Whatever>

/** Which properties the store merges, and how: true, a list of names, or true or a function for each name. */
export type MergeOption<Data extends object = SessionData> =
  | true
  | readonly PropertyName<Data>[]
  | { readonly [Name in PropertyName<Data>]?: true | MergeFunction<Exclude<SessionProperties<Data>[Name], undefined>> }

/**
 * Merges two changes of a property. The store calls it only if others have saved the property since the session was
 * loaded. undefined stands for a property that is not there.
 *
 * @param base the value that was loaded
 * @param theirs what others have saved since
 * @param mine what this request has made of `base`
 * @returns the value to save, not a promise; undefined removes the property
 */
export type MergeFunction<Value = Whatever> = (
  base: Value | undefined,
  theirs: Value | undefined,
  mine: Value | undefined,
) => Value | undefined

/**
 * What the function of an index returns, alone or in a list. With null or undefined, the session is not in the index.
 */
export type IndexValue = string | number | bigint | null | undefined

export interface Limit<Index extends string = string> {
  /** Name of one of the `indexes`. */
  index: Index
  /** Maximum number of sessions for each value of the index, 1 or more. */
  max: number
  /**
   * `'evict'`: one more login ends the session that was seen least recently. `'reject'`: it fails with
   * `ERR_SESSION_LIMIT`.
   */
  onExceed: 'evict' | 'reject'
}

export interface NearCacheOptions {
  /** Maximum number of cached sessions. The store drops the least recently used one first. */
  max: number
  /** Seconds after which the store reads a cached session again, even if Redis has reported no change. */
  maxAge: number
}

export interface NearCacheLimits {
  /** Maximum number of cached sessions. */
  max: number
  maxAgeMs: number
}

/** All options, with defaults and in internal units. */
export interface ResolvedOptions {
  client: Client
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
  merge: AnyStoreOptions['merge'] | undefined
  validate: AnyStoreOptions['validate']
  activity: boolean
  broadcast: boolean
  onEnd: AnyStoreOptions['onEnd'] | undefined
  /** Milliseconds for which Redis keeps the content of an ended session for `onEnd`. */
  keepMs: number
  replicas: number
  cache: NearCacheLimits | undefined
  timeoutMs: number
  onUnavailable: 'error' | 'anonymous'
  maxBytes: number
  convert: 'on-touch' | 'on-save' | 'never'
  thorough: boolean
  scanCount: number
}

/** Default of `touchInterval`, in milliseconds; a twentieth of the idle timeout where that is less. */
export const DEFAULT_TOUCH_INTERVAL_MS = 60_000

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
  convert: 'on-touch',
  thorough: false,
  scanCount: 100,
} as const)

/** Milliseconds for which Redis keeps the content of an ended session for `onEnd`: a day. */
const KEEP_MS = 24 * 60 * 60 * 1000

const INDEX_NAME = /^[A-Za-z]\w{0,31}$/

/** Returns what the value must be; undefined if it is right. */
type Check = (value: unknown) => string | undefined

const must =
  (ok: (value: unknown) => boolean, be: string): Check =>
  (value) =>
    ok(value) ? undefined : be
const isFinitePositive = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value > 0
const isSecret = (value: unknown) => typeof value === 'string' && value.length > 0
const boolean = must((value) => typeof value === 'boolean', 'true or false')
const positiveInteger = must((value) => Number.isInteger(value) && (value as number) > 0, 'a whole number above 0')

/** The check of each option. The compiler keeps it complete, so a name that is not in it is a mistake of the caller. */
const CHECKS: { [Name in keyof Required<RedisStoreOptions>]: Check } = {
  client: (value) =>
    isRedisClient(value) ? undefined : `a client of ioredis, iovalkey or node-redis${foreignClient(value)}`,
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
  merge: must(isMergeOption, 'true, a list of property names, or an object: names -> true or functions'),
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
  convert: must((value) => /^(on-touch|on-save|never)$/.test(String(value)), "'on-touch', 'on-save' or 'never'"),
  thorough: boolean,
  scanCount: positiveInteger,
}

function isMergeOption(value: unknown): boolean {
  if (value === true) return true
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.every((name) => typeof name === 'string' && isProperty(name))
  return Object.entries(value).every(
    ([name, rule]) => isProperty(name) && (rule === true || typeof rule === 'function'),
  )
}

/** Whether the store has an option of this name. */
export function isStoreOption(name: string): name is keyof RedisStoreOptions {
  return Object.hasOwn(CHECKS, name)
}

/** @throws TypeError that names the option and says what it must be */
function checkOptions(options: AnyStoreOptions): void {
  if (isRedisClient(options)) throw new TypeError('RedisStore takes an options object: new RedisStore({ client })')
  checkNames('RedisStore', options, CHECKS, 'new RedisStore({ client })')
  for (const [name, value] of Object.entries(options)) {
    const be = value === undefined ? undefined : CHECKS[name as keyof RedisStoreOptions](value)
    if (be !== undefined) throw new TypeError(`"${name}" option must be ${be}`)
  }
  if (options.client === undefined) throw new TypeError(`"client" option must be ${CHECKS.client(undefined)}`)
  checkCombinations(options)
}

function checkCombinations(options: AnyStoreOptions): void {
  if (options.disableTTL === true && options.absoluteTimeout !== undefined) {
    throw new TypeError('"absoluteTimeout" option cannot be combined with "disableTTL": the key\'s own TTL enforces it')
  }
  if (options.acceptPlainIds === true && (options.hashIds ?? false) === false) {
    throw new TypeError('"acceptPlainIds" option makes sense only with "hashIds"')
  }
  if (options.convert === 'never') checkStringsOnly(options)
  if (options.limit !== undefined && !Object.hasOwn(options.indexes ?? {}, options.limit.index)) {
    throw new TypeError(`"limit.index" option must be one of "indexes": there is no "${options.limit.index}"`)
  }
}

/** What is written for connect-redis must be what it can read. */
function checkStringsOnly({ hashIds = false, encryption, absoluteTimeout }: AnyStoreOptions): void {
  const name = hashIds !== false ? 'hashIds' : encryption !== undefined ? 'encryption' : 'absoluteTimeout'
  if (hashIds === false && encryption === undefined && absoluteTimeout === undefined) return
  throw new TypeError(
    `"${name}" option cannot be combined with convert: 'never': strings that connect-redis reads have no place for it; ` +
      'set it once no server runs connect-redis, and leave "convert" out',
  )
}

/**
 * Checks the options, fills in the defaults, and converts seconds to milliseconds.
 *
 * @throws TypeError that names the option and says what it must be
 */
export function resolveOptions(options: AnyStoreOptions): ResolvedOptions {
  checkOptions(options)
  return {
    client: clientOf(options.client, options.timeout ?? DEFAULTS.timeout),
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
    merge: options.merge,
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
    convert: options.convert ?? DEFAULTS.convert,
    thorough: options.thorough ?? DEFAULTS.thorough,
    scanCount: options.scanCount ?? DEFAULTS.scanCount,
  }
}
