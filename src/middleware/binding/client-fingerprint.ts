import Bowser from 'bowser'
import ipaddr from 'ipaddr.js'
import type { CLIENT_DIGEST_FIELDS } from '../../hash/bookkeeping.js'

export type SlotField = (typeof CLIENT_DIGEST_FIELDS)[number]

/** One thing that is compared. The kind says how; slots of different kinds cannot be compared. */
export interface Slot {
  field: SlotField
  /** Prefix length in bits, `family` or `exact`. */
  kind: string
  /** It never leaves the process; Redis gets a keyed digest of it. */
  value: string
}

export interface Prefixes {
  v4: number
  v6: number
}

/**
 * The network of an address, in one form however the address is written. An IPv4-mapped IPv6 address counts as IPv4,
 * and a zone is ignored.
 *
 * @returns null if the address is missing (the connection is closed, or a Unix socket) or cannot be read
 */
export function networkOf(address: string | undefined, prefixes: Prefixes): Slot | null {
  if (address === undefined || !ipaddr.isValid(address)) return null
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') {
    const network = ipaddr.IPv4.networkAddressFromCIDR(`${parsed.toString()}/${prefixes.v4}`)
    return { field: '@ip4', kind: String(prefixes.v4), value: network.toString() }
  }
  const plain = new ipaddr.IPv6((parsed as ipaddr.IPv6).parts)
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${plain.toString()}/${prefixes.v6}`)
  return { field: '@ip6', kind: String(prefixes.v6), value: network.toString() }
}

/** Characters. No browser sends a longer header, and a longer one is not worth the time to parse it. */
export const MAX_USER_AGENT_LENGTH = 1024

/**
 * The kind of browser that a User-Agent header names. `family`: browser, operating system, and whether it is a phone or
 * tablet; no versions. A missing header counts as a kind of its own. A header that bowser does not know is compared
 * whole.
 */
export function browserOf(userAgent: string | undefined, how: 'family' | 'exact'): Slot {
  return { field: '@ua', kind: how, value: how === 'exact' ? `exact ${userAgent ?? ''}` : familyOf(userAgent ?? '') }
}

function familyOf(userAgent: string): string {
  if (userAgent === '') return 'none'
  const whole = `unknown ${userAgent}`
  if (userAgent.length > MAX_USER_AGENT_LENGTH) return whole
  const { browser, os, platform } = Bowser.parse(userAgent)
  // Without a system and a platform, bowser has guessed the name, and the guess may contain a version.
  if (!browser.name || (!os.name && !platform.type)) return whole
  // Phones and tablets count as one type, because a foldable is both.
  const isMobile = platform.type === 'mobile' || platform.type === 'tablet'
  return JSON.stringify([browser.name, os.name ?? '', isMobile])
}
