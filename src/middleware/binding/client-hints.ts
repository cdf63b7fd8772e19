import type { IncomingHttpHeaders } from 'node:http'
import type { Slot } from './client-fingerprint.js'

/** Characters. No browser sends a longer header. */
const MAX_LENGTH = 512
const BRAND = /"((?:[^"\\]|\\.){1,64})"\s*;\s*v="[^"]*"/g

/**
 * Browsers invent a brand, so that nobody relies on the list: `Not A;Brand`, `Not/A)Brand` (UA Client Hints, "GREASE").
 */
const INVENTED = /^[^a-z]*not[^a-z]*a[^a-z]*brand[^a-z]*$/i

/** Browsers that are known by their brand alone: their User-Agent is that of Chrome. */
const NAMED = new Set(['AVG Secure Browser', 'Avast Secure Browser', 'Brave', 'DuckDuckGo', 'Vivaldi'])

/**
 * What a browser says of itself beside its User-Agent: its brands, its system, and whether it is a mobile device; no
 * versions. Chromium and its relatives send these hints with every request over TLS (W3C UA Client Hints,
 * low-entropy hints), and others send none.
 */
export function hintsOf(headers: IncomingHttpHeaders): Slot | null {
  const brands = brandsIn(headers)
  if (brands.length === 0) return null
  const rest = [headers['sec-ch-ua-platform'], headers['sec-ch-ua-mobile']].map((hint) =>
    String(hint ?? '').slice(0, 64),
  )
  return { field: '@ch', kind: 'hints', value: JSON.stringify([brands.toSorted(), ...rest]) }
}

/** Returns the name of a browser whose User-Agent is that of Chrome. */
export function brandOf(headers: IncomingHttpHeaders): string | undefined {
  return brandsIn(headers).find((brand) => NAMED.has(brand))
}

function brandsIn({ 'sec-ch-ua': header }: IncomingHttpHeaders): string[] {
  const text = String(header ?? '')
  if (text.length > MAX_LENGTH) return []
  return [...text.matchAll(BRAND)].map(([, brand = '']) => brand).filter((brand) => !INVENTED.test(brand))
}
