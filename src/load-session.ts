import type { IncomingMessage } from 'node:http'
import type { SessionData } from 'express-session'
import type { SessionContent, Whatever } from './hash/session-content.js'
import { checkNames } from './known-options.js'
import type { BindClientOptions } from './middleware/bind-client.js'
import { type BindOptions, checkedBindOptions } from './middleware/binding/bind-options.js'
import { admitClient } from './middleware/binding/mismatch.js'
import { STORE_ACCESS, type StoreAccess } from './requests/store-access.js'
import { sidIn } from './signed-cookie.js'
import type { RedisStore } from './store.js'

export interface LoadSessionOptions<Data extends object = SessionData> {
  /** The store of the application's sessions; with `secureSession`, its `store`. */
  store: RedisStore<Data, Whatever>
  /** What `session()` or `secureSession` signs its cookies with: a secret, or a list of them. */
  secret: string | readonly string[]
  /** Of the cookie. Default `'connect.sid'`; `secureSession` names it `'__Host-sid'`. */
  name?: string
  /**
   * The options of `bindClient`, where the application uses it: the session is compared with the client of this request, and what
   * `bindClient` would end here, too, is null. Default: not compared. WARNING: without it, a stolen cookie that requests of HTTP refuse
   * opens a socket.
   */
  bind?: BindClientOptions<Data>
}

/** Complete. */
export interface ResolvedLoadSession {
  store: StoreAccess
  secrets: readonly string[]
  name: string
  bind: BindOptions | undefined
}

/**
 * What a session holds. `id` and `handle` (its public name) are not enumerable, and hide properties of the session that
 * have these names.
 */
export type OpenSession<Data extends object = SessionData> = SessionContent<Data> & {
  readonly id: string
  readonly handle: string
}

const NAMES: Record<keyof LoadSessionOptions, 0> = { store: 0, secret: 0, name: 0, bind: 0 }

/**
 * The session of a request that does not go through Express: a WebSocket upgrade, a plain `http` server. Verifies the
 * signature of the cookie, and then loads the session as `session()` does: one HGETALL, none if there is no cookie of ours.
 * Does not prolong the session, and what it resolves is not saved; write with `store.patch(session.id, ...)`.
 *
 * An id that `renewSession` has replaced is treated as in a request: served within its grace, and taken for stolen after it. But a
 * socket may call it again with the request that it began with: what that was given once it is given as long as the session lives.
 *
 * With `bind`, `req.sessionBinding` says what was found.
 *
 * @returns null if there is no session, or the client binding has ended it
 * @throws TypeError for unknown or malformed options; rejects with a SessionStoreError if Redis fails: then nobody is known
 */
export function loadSession<Data extends object = SessionData>(
  req: IncomingMessage,
  options: LoadSessionOptions<Data>,
): Promise<OpenSession<Data> | null>
export async function loadSession(req: IncomingMessage, options: LoadSessionOptions<Whatever>): Promise<Whatever> {
  return openSession(req, checked(options))
}

/** The same with options that have been checked. */
export async function openSession(
  req: IncomingMessage,
  { store, secrets, name, bind }: ResolvedLoadSession,
): Promise<OpenSession<Whatever> | null> {
  const id = sidIn(req, name, secrets)
  const opened = id === undefined ? null : await store.open(id, req)
  if (opened === null) return null
  if (bind !== undefined && !(await admitClient(req, opened.session, store, bind))) return null
  const hidden = { id: { value: id }, handle: { value: opened.handle } }
  return Object.defineProperties(opened.session, hidden) as OpenSession<Whatever>
}

function checked(options: LoadSessionOptions<Whatever>): ResolvedLoadSession {
  checkNames('loadSession', options, NAMES, 'loadSession(req, { store, secret })')
  const { store, secret, name = 'connect.sid', bind } = options
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
  return { store: access, secrets, name, bind: bind === undefined ? undefined : checkedBindOptions(bind) }
}
