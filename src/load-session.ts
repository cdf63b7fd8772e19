import type { IncomingMessage } from 'node:http'
import type { SessionData } from 'express-session'
import type { SessionContent, Whatever } from './hash/session-content.js'
import { checkNames } from './known-options.js'
import type { BindClientOptions } from './middleware/binding/bind-options.js'
import { type BindOptions, checkedBindOptions } from './middleware/binding/bind-options.js'
import { admitClient } from './middleware/binding/mismatch.js'
import { type BindDeviceOptions, checkedDeviceOptions, type DeviceOptions } from './middleware/device/device-options.js'
import { admitDevice } from './middleware/device/device-session.js'
import { STORE_ACCESS, type StoreAccess } from './requests/store-access.js'
import { sidIn } from './signed-cookie.js'
import type { RedisStore } from './store.js'

export interface LoadSessionOptions<Data extends object = SessionData> {
  /** The store of the application's sessions; with secureSession: `sessions.store`. */
  store: RedisStore<Data, Whatever>
  /** The secret with which `session()` or `secureSession` signs its cookies, or the list of secrets. */
  secret: string | readonly string[]
  /** Name of the cookie. Default `'connect.sid'`; `secureSession` uses `'__Host-sid'`. */
  name?: string
  /**
   * The options of `bindClient`, if the application uses it. The session is then compared with the client of this
   * request; if `bindClient` would end the session, it ends, and the result is null. Default: not compared. WARNING:
   * without it, a stolen cookie that HTTP requests refuse still opens a socket.
   */
  bind?: BindClientOptions<Data>
  /**
   * The options of `bindDevice`, if the application uses it. For a request of a bound session that does not bring the
   * bound cookie, the result is then null. Default: not checked. WARNING: without it, a stolen cookie that HTTP
   * requests refuse still opens a socket.
   */
  device?: BindDeviceOptions
}

/** The options of `loadSession`, checked and with defaults. */
export interface ResolvedLoadSession {
  store: StoreAccess
  secrets: readonly string[]
  name: string
  bind: BindOptions | undefined
  device: DeviceOptions | undefined
}

/**
 * The content of a session, with its `id` and `handle` (its public name). These two are not enumerable, and hide
 * properties of the session with the same names.
 */
export type OpenSession<Data extends object = SessionData> = SessionContent<Data> & {
  /** The id of the session. */
  readonly id: string
  /** The public name of the session, safe in logs. */
  readonly handle: string
}

const NAMES: Record<keyof LoadSessionOptions, 0> = { store: 0, secret: 0, name: 0, bind: 0, device: 0 }

/**
 * Loads the session of a request that does not go through Express: a WebSocket upgrade, or a request of a plain `http`
 * server. It verifies the signature of the cookie, then loads the session as `session()` does, with one HGETALL.
 * Without a valid cookie it sends no command. It does not prolong the session. To change the session, call
 * `store.patch(session.id, ...)`; changes of the result are not saved.
 *
 * An id that `renewSession` has replaced is accepted within its grace period, and counts as stolen after it, as in a
 * request. There is one difference: a socket may present the request that it began with again. A request that was given
 * a session once gets it again for as long as the session lives.
 *
 * With `bind`, the result of the comparison is in `req.sessionBinding`; with `device`, in `req.deviceSession`.
 *
 * @param req a request of Node's `http`
 * @returns null if there is no session, if the client binding has ended it, or if the request does not come from its
 *   device
 * @throws TypeError for unknown or malformed options; SessionStoreError if Redis fails, so that the visitor is unknown
 */
export function loadSession<Data extends object = SessionData>(
  req: IncomingMessage,
  options: LoadSessionOptions<Data>,
): Promise<OpenSession<Data> | null>
export async function loadSession(req: IncomingMessage, options: LoadSessionOptions<Whatever>): Promise<Whatever> {
  return openSession(req, checked(options))
}

/** Like `loadSession`, with options that have been checked. */
export async function openSession(
  req: IncomingMessage,
  { store, secrets, name, bind, device }: ResolvedLoadSession,
): Promise<OpenSession<Whatever> | null> {
  const id = sidIn(req, name, secrets)
  const opened = id === undefined ? null : await store.arrivals.open(id, req)
  if (opened === null) return null
  if (device !== undefined && !(await admitDevice(req, opened.session, store, device))) return null
  if (bind !== undefined && !(await admitClient(req, opened.session, store, bind))) return null
  const hidden = { id: { value: id }, handle: { value: opened.handle } }
  return Object.defineProperties(opened.session, hidden) as OpenSession<Whatever>
}

function checked(options: LoadSessionOptions<Whatever>): ResolvedLoadSession {
  checkNames('loadSession', options, NAMES, 'loadSession(req, { store, secret })')
  const { store, secret, name = 'connect.sid', bind, device } = options
  const access = (store as { [STORE_ACCESS]?: StoreAccess } | undefined)?.[STORE_ACCESS]
  if (access === undefined) throw new TypeError('"store" option must be a RedisStore of connect-redis-hash')
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (
    !Array.isArray(secrets) ||
    secrets.length === 0 ||
    !secrets.every((one) => typeof one === 'string' && one !== '')
  ) {
    throw new TypeError('"secret" option must be the secret of session(), or the list of them')
  }
  if (typeof name !== 'string' || name === '') throw new TypeError('"name" option must be the name of the cookie')
  return {
    store: access,
    secrets,
    name,
    bind: bind === undefined ? undefined : checkedBindOptions(bind),
    device: device === undefined ? undefined : checkedDeviceOptions(device),
  }
}
