import type { IncomingMessage } from 'node:http'
import { LOGIN_FIELD } from '../../hash/bookkeeping.js'
import type { AnyContent } from '../../hash/session-content.js'
import { addressOf, unknownProxies } from '../../requests/client-address.js'
import type { StoreAccess } from '../../requests/store-access.js'
import { type BindOptions, isAction, type Mismatch, type MismatchAction, type SessionBinding } from './bind-options.js'
import { type Client, ClientBinding } from './client-binding.js'
import { browserOf, networkOf, type Slot } from './client-fingerprint.js'
import { brandOf, hintsOf } from './client-hints.js'
import { clientLabel } from './client-label.js'

const DEFAULT_ACTIONS = { network: 'observe', client: 'reauthenticate', both: 'destroy' } as const

/** The client of a request, as far as the options compare it. */
export function clientOf(
  req: IncomingMessage,
  store: StoreAccess,
  { prefixes, trustProxy, userAgent, label }: BindOptions,
): Client {
  const { 'user-agent': name } = req.headers
  return {
    label: label ? clientLabel(name, brandOf(req.headers)) : undefined,
    network: prefixes && networkOf(addressOf(req, store, trustProxy), prefixes),
    browser: userAgent === false ? undefined : browserOf(name, userAgent),
    hints: userAgent === false ? undefined : comparableHints(req),
    isWithoutHints: !/\bChrom(?:e|ium)\//.test(name ?? ''),
  }
}

/**
 * Returns undefined for a request without hints that a browser may have sent: over plain HTTP, to open a socket, or on
 * its own behalf. What has neither hints nor Fetch Metadata, comes over TLS and calls itself Chrome is none.
 */
function comparableHints(req: IncomingMessage & { secure?: boolean }): Slot | null | undefined {
  const hints = hintsOf(req.headers)
  if (hints !== null) return hints
  const isOverTls = (req.socket as { encrypted?: boolean }).encrypted === true || req.secure === true
  const isPlain = req.headers.upgrade === undefined && req.headers['sec-fetch-site'] === undefined
  return isOverTls && isPlain ? null : undefined
}

/**
 * Chooses what happens to a session that comes from another client, and announces it.
 *
 * @param mayEnd whether the session may end for it
 */
export async function actionFor(
  req: IncomingMessage,
  session: object,
  verdict: Mismatch['verdict'],
  store: StoreAccess,
  onMismatch: BindOptions['onMismatch'],
  mayEnd: boolean,
): Promise<MismatchAction> {
  const defaultAction = DEFAULT_ACTIONS[verdict]
  const chosen =
    typeof onMismatch === 'function'
      ? await onMismatch({ verdict, defaultAction, session: session as AnyContent, req })
      : (onMismatch ?? defaultAction)
  if (!isAction(chosen)) throw new TypeError("\"onMismatch\" must return 'observe', 'reauthenticate' or 'destroy'")
  const action = chosen === 'destroy' && !mayEnd ? 'reauthenticate' : chosen
  store.announce('mismatch', { handle: store.state.handleOf(session), verdict, action })
  return action
}

/**
 * Keeps the session, and makes its login stale for `reauthenticate`. Writes immediately: a request that changes nothing
 * else is never saved.
 */
export async function keepMismatched(
  session: object,
  action: 'observe' | 'reauthenticate',
  store: StoreAccess,
  binding: ClientBinding,
): Promise<void> {
  const isRenewed = binding.renew(session)
  const isToBeStale = action === 'reauthenticate' && store.fields.marked(session, LOGIN_FIELD) !== '0'
  if (isToBeStale) store.fields.mark(session, LOGIN_FIELD, '0')
  if (isRenewed || isToBeStale) await store.fields.saveMarks(session)
}

/**
 * Does what `bindClient` does, for a session that was loaded without `session()`. Sets `req.sessionBinding`.
 *
 * @returns false if the session has been ended because its cookie was stolen
 * @throws HttpError if the request has X-Forwarded-For, and it is not known which proxies to trust: its address is
 *   unknown then
 */
export async function admitClient(
  req: IncomingMessage & { sessionBinding?: SessionBinding },
  session: object,
  store: StoreAccess,
  options: BindOptions,
): Promise<boolean> {
  const unknown = options.prefixes && unknownProxies(req, store, options.trustProxy)
  if (unknown !== undefined) throw unknown
  const binding = new ClientBinding(store, options.secrets, clientOf(req, store, options))
  const verdict = binding.compare(session)
  if (verdict === 'match') {
    req.sessionBinding = { verdict, action: 'none' }
    return true
  }
  const mayEnd = !binding.isOnlyHinted(session)
  const action = await actionFor(req, session, verdict, store, options.onMismatch, mayEnd)
  if (action === 'destroy') await store.end(session, 'mismatch')
  else await keepMismatched(session, action, store, binding)
  req.sessionBinding = { verdict, action }
  return action !== 'destroy'
}
