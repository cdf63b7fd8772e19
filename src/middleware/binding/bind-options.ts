import type { Whatever } from '../../hash/session-content.js'
import { checkNames } from '../../known-options.js'
import type { Trust } from '../../requests/client-address.js'
import type { BindClientOptions, MismatchAction } from '../bind-client.js'
import type { Prefixes } from './client-fingerprint.js'

/** Complete. */
export interface BindOptions {
  /** Current first. */
  secrets: readonly string[]
  /** undefined: addresses are not compared. */
  prefixes: Prefixes | undefined
  /** undefined: those that Express trusts. */
  trustProxy: Trust | undefined
  userAgent: 'family' | 'exact' | false
  onMismatch: BindClientOptions<Whatever>['onMismatch']
  label: boolean
}

/** The compiler keeps these complete; a name that is not in them is a typing mistake of the caller's. */
const NAMES: Record<keyof BindClientOptions, 0> = {
  secret: 0,
  ip: 0,
  trustProxy: 0,
  userAgent: 0,
  onMismatch: 0,
  label: 0,
}
const ACTIONS: Record<MismatchAction, 0> = { observe: 0, reauthenticate: 0, destroy: 0 }
const LONGEST_PREFIX: Prefixes = Object.freeze({ v4: 32, v6: 128 })
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
    if (!Number.isInteger(bits) || bits < 1 || bits > LONGEST_PREFIX[family]) {
      throw new TypeError(`"ip.${family}" option must be a whole number of bits from 1 to ${LONGEST_PREFIX[family]}`)
    }
  }
  return prefixes
}
