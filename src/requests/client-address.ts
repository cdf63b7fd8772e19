import type { IncomingMessage } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import type { SessionEvents } from '../events.js'
import { HttpError } from '../http-error.js'

/**
 * Whether to trust what a proxy says about its client, by the proxy's address and the number of hops between it and
 * this process. Express provides this function as `trust proxy fn`, and the package proxy-addr compiles it from
 * addresses and subnets.
 */
export type Trust = (address: string, hop: number) => boolean

export interface AddressedRequest extends IncomingMessage {
  ip?: string
  app?: unknown
}

type App = { get(setting: string): unknown }

/**
 * Learns from Express requests which proxies Express trusts. Requests that never reach Express, such as a WebSocket
 * upgrade, must be judged by the same rule. Otherwise every visitor behind a proxy would seem to come from another
 * network.
 */
export class KnownProxies {
  #known: { setting: unknown; trust: Trust } | undefined
  #isAmbiguous = false
  /** Without Express, sessions are bound to the address of the peer. */
  isPeerMeant = false
  isWarned = false

  learn(req: AddressedRequest): void {
    const app = appOf(req)
    const trust = app?.get('trust proxy fn')
    if (app === undefined || typeof trust !== 'function') {
      if (!('ip' in req)) this.isPeerMeant = true
      return
    }
    const setting = app.get('trust proxy')
    if (this.#known === undefined) this.#known = { setting, trust: trust as Trust }
    // Two applications share one store, and it is unknown which of them a socket belongs to.
    else if (setting !== this.#known.setting) this.#isAmbiguous ||= !isDeepStrictEqual(setting, this.#known.setting)
  }

  get trust(): Trust | undefined {
    return this.#isAmbiguous ? undefined : this.#known?.trust
  }
}

/** What the store provides: its knowledge of proxies, and its `warning` event. */
export interface ProxyKnowledge {
  readonly proxies: KnownProxies
  announce(name: 'warning', payload: SessionEvents['warning']): void
}

/** Returns the client address of a request; undefined if its connection is gone or is a Unix socket. */
export function addressOf(req: AddressedRequest, store: ProxyKnowledge, own: Trust | undefined): string | undefined {
  const trust = own ?? ('ip' in req ? undefined : store.proxies.trust)
  if (trust !== undefined) return addressBehind(req, trust)
  return 'ip' in req ? req.ip : req.socket.remoteAddress
}

/**
 * Returns the nearest address that does not belong to a trusted proxy, as proxy-addr computes it for Express's
 * `req.ip`.
 */
function addressBehind(req: IncomingMessage, trust: Trust): string | undefined {
  const forwarded = String(req.headers['x-forwarded-for'] ?? '').split(',')
  const claimed = forwarded.map((address) => address.trim()).filter((address) => address !== '')
  const hops = [req.socket.remoteAddress, ...claimed.reverse()]
  return hops.find((address, hop) => !trust(address as string, hop)) ?? hops.at(-1)
}

/**
 * Outside Express it may be unknown whether X-Forwarded-For was set by a proxy or forged by the visitor.
 *
 * @returns the error for a request that cannot be judged
 */
export function unknownProxies(
  req: AddressedRequest,
  store: ProxyKnowledge,
  own: Trust | undefined,
): HttpError | undefined {
  const { proxies } = store
  if (req.headers['x-forwarded-for'] === undefined || own !== undefined || 'ip' in req) return undefined
  if (proxies.trust !== undefined || proxies.isPeerMeant) return undefined
  // Also warn, because an application that treats every failure as "not logged in" would not notice the error.
  warn(store, PROXIES_UNKNOWN)
  return new HttpError(500, PROXIES_UNKNOWN)
}

/**
 * With `true`, Express uses the left-most X-Forwarded-For entry, which the visitor can forge.
 *
 * @throws Error that says what to set
 */
export function refuseBlindTrust(req: AddressedRequest): void {
  if (appOf(req)?.get('trust proxy') !== true) return
  throw new Error(
    "bindClient() cannot work with app.set('trust proxy', true): any visitor could then choose their address. Set it to " +
      "the number of your proxies, e.g. app.set('trust proxy', 1), or to their addresses",
  )
}

/** Warns once if there may be a proxy that is not configured. */
export function warnOfUntrusted(req: AddressedRequest, store: ProxyKnowledge): void {
  if (req.headers['x-forwarded-for'] === undefined) return
  const app = appOf(req)
  const isUnread = app === undefined ? store.proxies.trust === undefined : !app.get('trust proxy')
  if (isUnread) warn(store, FORWARDED_UNTRUSTED)
}

function warn(store: ProxyKnowledge, message: string): void {
  if (store.proxies.isWarned) return
  store.proxies.isWarned = true
  store.announce('warning', { code: 'forwarded-untrusted', message })
}

function appOf({ app }: AddressedRequest): App | undefined {
  return typeof (app as App | undefined)?.get === 'function' ? (app as App) : undefined
}

const FORWARDED_UNTRUSTED =
  'a request has X-Forwarded-For, but "trust proxy" is off: if there is a proxy, bindClient() takes every visitor to be ' +
  'in its network; set "trust proxy" to the number of proxies (without Express: the option "trustProxy")'

const PROXIES_UNKNOWN =
  'a request outside Express has X-Forwarded-For, and nobody has said yet whether there are proxies, so its session cannot be compared ' +
  'with its client: set the option "trustProxy" of the binding to their number, as in secureSession({ bind: { trustProxy: 1 } })'
