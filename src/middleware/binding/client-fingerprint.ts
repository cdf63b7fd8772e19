import Bowser from 'bowser'
import ipaddr from 'ipaddr.js'

/** Bookkeeping fields of the binding: one slot per address family, because phones flip between them. */
export const SLOT_FIELDS = ['@ip4', '@ip6', '@ua'] as const
export type SlotField = (typeof SLOT_FIELDS)[number]

/** One thing that is compared. The kind says how: a slot of another kind cannot be compared with it. */
export interface Slot {
  field: SlotField
  /** Prefix length in bits, `family` or `exact`. */
  kind: string
  /** Never leaves the process; Redis gets a keyed digest of it. */
  value: string
}

export interface Prefixes {
  v4: number
  v6: number
}

/**
 * The network an address is in, in one form however the address is written; an IPv4-mapped IPv6 address is IPv4, and a
 * zone counts for nothing.
 *
 * @returns null for an address that is missing (the connection is gone, or a Unix socket) or cannot be read
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

/** Beyond this, a header is none that a browser sends, and is not worth parsing. */
export const LONGEST_USER_AGENT = 1024

/**
 * The kind of browser behind a User-Agent header. `family`: browser, operating system, and whether it is a phone or
 * tablet; no versions. A missing header is a client of its own; one that bowser does not know is compared whole.
 */
export function browserOf(userAgent: string | undefined, how: 'family' | 'exact'): Slot {
  return { field: '@ua', kind: how, value: how === 'exact' ? `exact ${userAgent ?? ''}` : familyOf(userAgent ?? '') }
}

function familyOf(userAgent: string): string {
  if (userAgent === '') return 'none'
  const whole = `unknown ${userAgent}`
  if (userAgent.length > LONGEST_USER_AGENT) return whole
  const { browser, os, platform } = Bowser.parse(userAgent)
  // With neither system nor platform, the name is a guess of bowser's, which may contain a version.
  if (!browser.name || (!os.name && !platform.type)) return whole
  // A foldable is a phone and a tablet.
  const isMobile = platform.type === 'mobile' || platform.type === 'tablet'
  return JSON.stringify([browser.name, os.name ?? '', isMobile])
}
