import type { IncomingMessage } from 'node:http'
import { LOGIN_FIELD } from '../../hash/bookkeeping.js'
import type { AnyContent } from '../../hash/session-content.js'
import { addressOf, unknownProxies } from '../../requests/client-address.js'
import type { StoreAccess } from '../../requests/store-access.js'
import { type BindOptions, isAction, type Mismatch, type MismatchAction, type SessionBinding } from './bind-options.js'
import { type Client, ClientBinding } from './client-binding.js'
import { browserOf, networkOf } from './client-fingerprint.js'
import { clientLabel } from './client-label.js'

const DEFAULT_ACTIONS = { network: 'observe', client: 'reauthenticate', both: 'destroy' } as const

/** The client of a request, as far as the options compare it. */
export function clientOf(
  req: IncomingMessage,
  store: StoreAccess,
  { prefixes, trustProxy, userAgent, label }: BindOptions,
): Client {
  return {
    label: label ? clientLabel(req.headers['user-agent']) : undefined,
    network: prefixes && networkOf(addressOf(req, store, trustProxy), prefixes),
    browser: userAgent === false ? undefined : browserOf(req.headers['user-agent'], userAgent),
  }
}

/** Chooses what happens to a session that comes from another client, and announces it. */
export async function actionFor(
  req: IncomingMessage,
  session: object,
  verdict: Mismatch['verdict'],
  store: StoreAccess,
  onMismatch: BindOptions['onMismatch'],
): Promise<MismatchAction> {
  const defaultAction = DEFAULT_ACTIONS[verdict]
  const action =
    typeof onMismatch === 'function'
      ? await onMismatch({ verdict, defaultAction, session: session as AnyContent, req })
      : (onMismatch ?? defaultAction)
  if (!isAction(action)) throw new TypeError("\"onMismatch\" must return 'observe', 'reauthenticate' or 'destroy'")
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
  const action = await actionFor(req, session, verdict, store, options.onMismatch)
  if (action === 'destroy') await store.end(session, 'mismatch')
  else await keepMismatched(session, action, store, binding)
  req.sessionBinding = { verdict, action }
  return action !== 'destroy'
}
