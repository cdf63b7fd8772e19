import type { SessionData } from 'express-session'
import type { SessionContent, Whatever } from '../../hash/session-content.js'
import { checkNames } from '../../known-options.js'
import type { Trust } from '../../requests/client-address.js'
import type { SessionRequest } from '../session-request.js'
import type { BindingVerdict } from './client-binding.js'
import type { Prefixes } from './client-fingerprint.js'

/**
 * What happens to a session that another client uses. `observe`: the store only emits the `mismatch` event.
 * `reauthenticate`: the login counts as stale, so that `requireFreshLogin` refuses it. `destroy`: the session ends, and
 * the request goes on without it.
 */
export type MismatchAction = 'observe' | 'reauthenticate' | 'destroy'

/** The result of `bindClient()` for a request, in `req.sessionBinding`. */
export interface SessionBinding {
  /** How the request's client compares with the session's. */
  verdict: BindingVerdict
  /** What `bindClient` did about the verdict; `none` for `match`. */
  action: MismatchAction | 'none'
}

/** The argument of the function `onMismatch`. */
export interface Mismatch<Data extends object = SessionData> {
  /** What is different about the client. */
  verdict: Exclude<BindingVerdict, 'match'>
  /** The action that `bindClient` takes without `onMismatch`. */
  defaultAction: MismatchAction
  /** The loaded session. */
  session: SessionContent<Data>
  /** The request. */
  req: SessionRequest
}

export interface BindClientOptions<Data extends object = SessionData> {
  /** Key of the digests in Redis, a text; while you replace it, a list of texts, current first. */
  secret: string | readonly string[] | undefined
  /**
   * Number of leading bits that make the network of an address. Default `{ v4: 24, v6: 64 }`. false: addresses are not
   * compared.
   */
  ip?: Partial<Prefixes> | false
  /**
   * Which proxies to trust when they name their client (X-Forwarded-For): their number, false for none, or a function
   * of an address such as `proxyaddr.compile(['10.0.0.0/8'])` of the package proxy-addr. Default: Express's
   * `trust proxy` setting; without Express, none. Set it for sockets and for processes that do not use Express.
   */
  trustProxy?: number | false | Trust
  /**
   * `'family'` (default) compares browser, operating system and whether it is a mobile device, not their versions.
   * `'exact'` compares the whole header, so that every update of a browser is a mismatch. Both also compare the client
   * hints (`Sec-CH-UA`) of browsers that send them. If only the hints differ, the verdict is `client`, but the session
   * does not end, whatever `onMismatch` says. false: browsers are not compared.
   */
  userAgent?: 'family' | 'exact' | false
  /**
   * One action for every mismatch, or a function that returns one or a promise of one. Default: `observe` if only the
   * network has changed, `reauthenticate` if only the browser or the operating system has, `destroy` if both have.
   * WARNING: with `destroy` for a changed network, everybody who leaves their home with a phone is logged out.
   */
  onMismatch?: MismatchAction | ((mismatch: Mismatch<Data>) => MismatchAction | Promise<MismatchAction>)
  /**
   * true: also stores in plain text the kind of client with which the session began, e.g. `Firefox on Linux`. It is
   * available as `SessionInfo.client`, for a page that lists the user's devices. Default false: nothing readable about
   * the client is stored.
   */
  label?: boolean
}

/** The options of `bindClient`, checked and with defaults. */
export interface BindOptions {
  /** The current one is first. */
  secrets: readonly string[]
  /** undefined: addresses are not compared. */
  prefixes: Prefixes | undefined
  /** undefined: the proxies that Express trusts. */
  trustProxy: Trust | undefined
  userAgent: 'family' | 'exact' | false
  onMismatch: BindClientOptions<Whatever>['onMismatch']
  label: boolean
}

/** The compiler keeps these maps complete. Any other name is a typing mistake of the caller. */
const NAMES: Record<keyof BindClientOptions, 0> = {
  secret: 0,
  ip: 0,
  trustProxy: 0,
  userAgent: 0,
  onMismatch: 0,
  label: 0,
}
const ACTIONS: Record<MismatchAction, 0> = { observe: 0, reauthenticate: 0, destroy: 0 }
const MAX_PREFIX: Prefixes = Object.freeze({ v4: 32, v6: 128 })
const PREFIXES: Prefixes = Object.freeze({ v4: 24, v6: 64 })

/** @throws TypeError that names the option */
export function checkedBindOptions(options: BindClientOptions<Whatever>): BindOptions {
  checkNames('bindClient', options, NAMES, 'bindClient({ secret })')
  const { secret, ip = PREFIXES, trustProxy, userAgent = 'family', onMismatch, label = false } = options
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (!Array.isArray(secrets) || secrets.length === 0 || !secrets.every(isSecret)) {
    throw new TypeError(
      '"secret" option of bindClient must be a secret, or a list of them, current first (make one: openssl rand -base64 32)',
    )
  }
  if (userAgent !== 'family' && userAgent !== 'exact' && userAgent !== false) {
    throw new TypeError("\"userAgent\" option must be 'family', 'exact' or false")
  }
  if (onMismatch !== undefined && typeof onMismatch !== 'function' && !isAction(onMismatch)) {
    throw new TypeError("\"onMismatch\" option must be 'observe', 'reauthenticate', 'destroy' or a function")
  }
  if (typeof label !== 'boolean') throw new TypeError('"label" option must be a boolean')
  if (ip === false && userAgent === false) {
    throw new TypeError('"ip" and "userAgent" options are both false: bindClient would compare nothing')
  }
  const prefixes = ip === false ? undefined : checkedPrefixes(ip)
  const trust = trustProxy === undefined ? undefined : checkedTrust(trustProxy)
  return { secrets: [...secrets], prefixes, trustProxy: trust, userAgent, onMismatch, label }
}

export function isAction(value: unknown): value is MismatchAction {
  return typeof value === 'string' && Object.hasOwn(ACTIONS, value)
}

function isSecret(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0
}

function checkedTrust(trustProxy: number | false | Trust): Trust {
  if (typeof trustProxy === 'function') return trustProxy
  const count = trustProxy === false ? 0 : trustProxy
  if (Number.isInteger(count) && count >= 0) return (_address, hop) => hop < count
  throw new TypeError(
    '"trustProxy" option must be the number of proxies, false, or a function of an address: with true, any visitor could choose theirs; ' +
      'for addresses and subnets, give proxyaddr.compile([...]) of the package proxy-addr',
  )
}

function checkedPrefixes(ip: Partial<Prefixes>): Prefixes {
  if (typeof ip !== 'object' || ip === null) throw new TypeError('"ip" option must be { v4, v6 } or false')
  for (const name of Object.keys(ip)) {
    if (!Object.hasOwn(PREFIXES, name)) throw new TypeError(`"ip" option has no "${name}"`)
  }
  const prefixes = { v4: ip.v4 ?? PREFIXES.v4, v6: ip.v6 ?? PREFIXES.v6 }
  for (const family of ['v4', 'v6'] as const) {
    const bits = prefixes[family]
    if (!Number.isInteger(bits) || bits < 1 || bits > MAX_PREFIX[family]) {
      throw new TypeError(`"ip.${family}" option must be a whole number of bits from 1 to ${MAX_PREFIX[family]}`)
    }
  }
  return prefixes
}
