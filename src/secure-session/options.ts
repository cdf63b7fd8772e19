import type { SessionData } from 'express-session'
import type { SessionContent, Whatever } from '../hash/session-content.js'
import type { BindClientOptions } from '../middleware/binding/bind-options.js'
import type { BindDeviceOptions } from '../middleware/device/device-options.js'
import type { RenewSessionOptions } from '../middleware/renew-session.js'
import type { RotateOnLoginOptions } from '../middleware/rotate-on-login.js'
import { type AnyStoreOptions, isStoreOption, type Limit, type RedisStoreOptions } from '../options.js'
import { STORE_ACCESS, type StoreAccess } from '../requests/store-access.js'
import { type AnyRedisStore, RedisStore } from '../store.js'
import { type AcceptFrom, type AcceptFromOptions, checkedAcceptFrom } from './accept-from.js'
import { checkedCookie, checkedName, isProduction, type SecureCookieOptions, type SessionCookie } from './cookie.js'
import { checkedSecrets, derivedKeys } from './secrets.js'
import { checkedGenid, type GenerateId, newSessionId } from './session-id.js'
import {
  checkedPreset,
  checkStoreTimeouts,
  storeTimeouts,
  TIMEOUT_PRESETS,
  type TimeoutPreset,
} from './timeout-presets.js'

interface OwnOptions<Data extends object> {
  /**
   * Random text of at least 32 characters (`openssl rand -base64 32`); while you replace it, a list of texts, current
   * first. It signs the cookie, and the keys of `hashIds` and of the client binding are derived from it. Cookies and
   * sessions made under an older secret of the list stay valid, and move to the current one when they are used.
   */
  secret: string | readonly string[] | undefined
  /**
   * Returns the id of the user that the session belongs to, or null or undefined if it has no user yet. The id must
   * never change. With Passport: `(s) => s.passport?.user?.id`, or `(s) => s.passport?.user` if `serializeUser` keeps
   * only the id. If secureSession makes the store, this function is also its index `user`:
   * `sessions.store.destroyBy('user', id)`.
   */
  user: (session: SessionContent<Data>) => string | number | bigint | null | undefined
  /**
   * Upper limits of the idle and the absolute timeout. `'nist-aal2'` and `'nist-aal3'` also make `requireFreshLogin`
   * ask for a login at level 2 or 3 (`rotateSession(req, { level })`). Default `'owasp-low'`: 30 minutes idle, 8 hours
   * in all. A handler that sets `req.session.cookie.maxAge` chooses the idle timeout of that session; the absolute
   * timeout still holds.
   */
  preset?: TimeoutPreset
  /**
   * Attributes of the cookie. Default: Secure, HttpOnly, SameSite=Lax, Path=/ and no Domain; the browser deletes the
   * cookie when it is closed.
   */
  cookie?: SecureCookieOptions
  /** Name of the cookie. Default `'__Host-sid'`; `'sid'` with `cookie: { secure: false }`. */
  name?: string
  /**
   * Makes session ids of at least 128 random bits. secureSession() tests it with a sample of ids. Default: 256 random
   * bits in base64url.
   */
  genid?: GenerateId
  /**
   * Options of `bindClient` without `secret`; false: sessions are not bound to their client. Default: the defaults of
   * `bindClient`.
   */
  bind?: Omit<BindClientOptions<Data>, 'secret'> | false
  /**
   * true, or options of `bindDevice`: binds sessions to the device that has logged in, if its browser supports this.
   * Default false.
   */
  device?: true | BindDeviceOptions | false
  /**
   * Options of `renewSession`; false: only a login changes the session id. Default `{ every: 900, grace: 30 }`
   * (seconds); `every` is 300 with the presets `'owasp-high'` and `'nist-aal3'`.
   */
  renew?: RenewSessionOptions | false
  /** Which properties of an anonymous session a login keeps: `'all'` (default), `'none'`, or a list of names. */
  keep?: RotateOnLoginOptions<Data>['keep']
  /**
   * The cookie that the application had before, such as that of `session()`:
   * `{ name, secret, until, hashIds, cookie }`, as docs/migrating.md explains. Its visitors stay logged in; they get a
   * new id and the new cookie. `until` is a Date, or a text such as `2027-03-01`, at most a year away. WARNING: until
   * then, sessions are only as safe as the old cookie: think of a secret that has leaked, or of plain ids in a dump of
   * Redis. Default: none.
   */
  acceptFrom?: AcceptFromOptions
}

/**
 * Options of the store that is made. `disableTTL` and `disableTouch` are excluded, because with them the limits of the
 * preset would not hold.
 */
interface StoreOptions<Data extends object, Index extends string>
  extends Omit<RedisStoreOptions<Data, Index>, 'disableTTL' | 'disableTouch' | 'ttl' | 'limit'> {
  /** Idle timeout in seconds. The preset's is the default, and the upper limit. */
  ttl?: number
  /** The option `limit` of `RedisStore`. Its `index` may also be `user`. */
  limit?: Limit<NoInfer<Index> | 'user'>
}

/** Pass `client` and any options of `RedisStore`; secureSession then makes the store. Or pass a `store` of your own. */
export type SecureSessionOptions<Data extends object = SessionData, Index extends string = string> =
  | (OwnOptions<Data> & StoreOptions<Data, Index> & { store?: never })
  | (OwnOptions<Data> & { [Name in keyof RedisStoreOptions]?: never } & {
      /** A store whose timeouts keep to the preset. No other `session()` may use it. */
      store: RedisStore<Data, Index>
    })

type Options = OwnOptions<Whatever>

/** The options of `secureSession`, checked and with defaults. */
export interface ResolvedSecureSession {
  store: AnyRedisStore
  /** The current one is first. */
  secrets: readonly string[]
  user: Options['user']
  cookie: SessionCookie
  name: string
  genid: GenerateId
  bind: BindClientOptions | false
  /** undefined: sessions are not bound to devices. */
  device: BindDeviceOptions | undefined
  renew: RenewSessionOptions | false
  keep: Options['keep']
  /** The level that `requireFreshLogin` asks for, unless it names another one. */
  level: number
  acceptFrom: AcceptFrom | undefined
}

/** The compiler keeps this map complete. A name that is neither here nor an option of the store is a typing mistake. */
const OWN: Record<keyof Options | 'store', 0> = {
  store: 0,
  secret: 0,
  user: 0,
  preset: 0,
  cookie: 0,
  name: 0,
  genid: 0,
  bind: 0,
  device: 0,
  renew: 0,
  keep: 0,
  acceptFrom: 0,
}
const FORBIDDEN: Readonly<Record<string, string>> = {
  disableTTL: 'sessions would never end',
  disableTouch: 'sessions would end while they are used',
}
/** Options of `session()` or of one of the middleware that applications may try here, each with what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  resave: 'it is always false',
  saveUninitialized: 'it is always false',
  rolling: 'it is true where "cookie.maxAge" is set',
  unset: "it is always 'keep'; end sessions with req.session.destroy()",
  proxy: "app.set('trust proxy', 1) tells Express",
  principal: 'it is called "user"',
  every: 'give it in "renew"',
  grace: 'give it in "renew"',
}

/** @throws TypeError that names the option */
export function resolveSecureSession(options: SecureSessionOptions<Whatever, Whatever>): ResolvedSecureSession {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError('secureSession needs an options object: secureSession({ client, secret, user })')
  }
  const forStore = storeOptions(options)
  const secrets = checkedSecrets(options.secret)
  const preset = checkedPreset(options.preset)
  if (typeof options.user !== 'function') {
    throw new TypeError('"user" option must be a function of the session that returns whose it is, or null')
  }
  const cookie = checkedCookie(options.cookie)
  const name = checkedName(options.name, cookie.secure)
  const genid = options.genid === undefined ? newSessionId : checkedGenid(options.genid)
  const store = resolveStore(options.store, withUser(forStore, options.user), preset, secrets)
  store[STORE_ACCESS].keepFromMerging('the "user" option', options.user)
  checkMaxAge(cookie.maxAge, store, preset)
  return {
    store,
    secrets,
    user: options.user,
    cookie,
    name,
    genid,
    bind: bindOptions(options.bind, secrets),
    device: deviceOptions(options.device, cookie),
    renew: renewOptions(options.renew, TIMEOUT_PRESETS[preset].renewEvery),
    keep: options.keep,
    level: TIMEOUT_PRESETS[preset].level,
    acceptFrom: checkedAcceptFrom(options.acceptFrom, name, secrets),
  }
}

/** Picks the options that belong to the store. */
function storeOptions(options: SecureSessionOptions<Whatever, Whatever>): Partial<AnyStoreOptions> {
  const given = Object.entries(options).filter(([name, value]) => {
    if (!Object.hasOwn(OWN, name) && !isStoreOption(name)) {
      const why = Object.hasOwn(ELSEWHERE, name) ? `: ${ELSEWHERE[name]}` : ''
      throw new TypeError(`secureSession has no option "${name}"${why}`)
    }
    return !Object.hasOwn(OWN, name) && value !== undefined
  })
  for (const [name] of given) {
    if (Object.hasOwn(FORBIDDEN, name)) throw new TypeError(`"${name}" option must be left out: ${FORBIDDEN[name]}`)
  }
  const forStore = Object.fromEntries(given) as Partial<AnyStoreOptions>
  if ((options.store === undefined) === (forStore.client === undefined)) {
    throw new TypeError('secureSession needs either the "client" option or the "store" option')
  }
  const [misplaced] = Object.keys(forStore)
  if (options.store !== undefined && misplaced !== undefined) {
    throw new TypeError(`"${misplaced}" option is the store's: give it to new RedisStore({ ${misplaced}, ... })`)
  }
  return forStore
}

/** Makes the user an index, so that `destroyBy('user', ...)` works. */
function withUser(options: Partial<AnyStoreOptions>, user: Options['user']): Partial<AnyStoreOptions> {
  if (options.indexes && 'user' in options.indexes) {
    throw new TypeError('"indexes.user" option must be left out: it is the "user" option')
  }
  return { ...options, indexes: { user, ...options.indexes } }
}

function resolveStore(
  store: AnyRedisStore | undefined,
  options: Partial<AnyStoreOptions>,
  preset: TimeoutPreset,
  secrets: readonly string[],
): AnyRedisStore {
  if (store === undefined) {
    if (isProduction() && options.hashIds === false)
      throw new TypeError(`"hashIds" option must not be false: ${PLAIN_IDS}`)
    const hashIds = derivedKeys(secrets, 'hashIds')
    return new RedisStore({ hashIds, ...options, ...storeTimeouts(preset, options) } as AnyStoreOptions)
  }
  const access = (store as { [STORE_ACCESS]?: StoreAccess } | null)?.[STORE_ACCESS]
  if (access === undefined) throw new TypeError('"store" option must be a RedisStore of connect-redis-hash')
  checkStoreTimeouts(preset, access.timeouts)
  if (access.userOf === undefined) {
    throw new TypeError('"store" option must have the index of users: new RedisStore({ indexes: { user: ... } })')
  }
  if (isProduction() && !access.timeouts.hashIds)
    throw new TypeError(`"store" option must have "hashIds": ${PLAIN_IDS}`)
  return store
}

const PLAIN_IDS = 'with NODE_ENV=production, who reads Redis must not be able to log in'

/** Checks the cookie's `maxAge`, because the store uses it as the idle timeout. */
function checkMaxAge(maxAge: number | undefined, store: AnyRedisStore, preset: TimeoutPreset): void {
  const idle = store[STORE_ACCESS].timeouts.ttl as number
  if (maxAge === undefined || maxAge <= idle * 1000) return
  const limit = TIMEOUT_PRESETS[preset].idle === idle ? `preset ${preset}` : `a "ttl" of ${idle}`
  throw new TypeError(`"cookie.maxAge" option must be at most ${idle * 1000} milliseconds with ${limit}, not ${maxAge}`)
}

function bindOptions(bind: Options['bind'], secrets: readonly string[]): BindClientOptions | false {
  if (bind === false) return false
  if (bind !== undefined && (typeof bind !== 'object' || bind === null)) {
    throw new TypeError('"bind" option must be options of bindClient, or false')
  }
  if (bind && 'secret' in bind)
    throw new TypeError('"bind.secret" option must be left out: it is derived from "secret"')
  return { ...bind, secret: derivedKeys(secrets, 'bindClient') }
}

/** The bound cookie is sent with the same requests as the session's. */
function deviceOptions(device: Options['device'], { sameSite }: SessionCookie): BindDeviceOptions | undefined {
  if (device === undefined || device === false) return undefined
  if (device !== true && (typeof device !== 'object' || device === null)) {
    throw new TypeError('"device" option must be true, options of bindDevice, or false')
  }
  const given = device === true ? {} : device
  return { ...given, cookie: { sameSite: sameSite === 'lax' ? 'lax' : 'strict', ...given.cookie } }
}

function renewOptions(renew: Options['renew'], presetEvery: number): RenewSessionOptions | false {
  if (renew === false) return false
  if (renew !== undefined && (typeof renew !== 'object' || renew === null)) {
    throw new TypeError('"renew" option must be { every, grace } in seconds, or false')
  }
  // Unknown names are passed on, because renewSession refuses them.
  return { every: presetEvery, ...renew }
}
