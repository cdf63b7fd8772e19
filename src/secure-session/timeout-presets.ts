import type { StoreTimeouts } from '../requests/store-access.js'

/** Seconds. */
export interface Timeouts {
  /** Without a request for this long, a session ends. */
  readonly idle: number
  /** This long after it began, a session ends whatever happens. */
  readonly absolute: number
  /** How often the session id is renewed, unless `renew` says otherwise. */
  readonly renewEvery: number
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * Session timeouts that somebody has written down, as upper limits.
 *
 * `owasp-low`, `owasp-high`: OWASP Session Management Cheat Sheet, "Session Expiration", the longest of the usual idle
 * and absolute timeouts for applications of low risk and of high value. `nist-aal1` to `nist-aal3`: NIST SP 800-63B-4,
 * reauthentication at authenticator assurance level 1 to 3; level 1 has no limit to inactivity of its own.
 */
export const TIMEOUT_PRESETS = Object.freeze({
  'owasp-low': limits(30 * MINUTE, 8 * HOUR, 15 * MINUTE),
  'owasp-high': limits(5 * MINUTE, 4 * HOUR, 5 * MINUTE),
  'nist-aal1': limits(30 * DAY, 30 * DAY, 15 * MINUTE),
  'nist-aal2': limits(1 * HOUR, 24 * HOUR, 15 * MINUTE),
  'nist-aal3': limits(15 * MINUTE, 12 * HOUR, 5 * MINUTE),
})

export type TimeoutPreset = keyof typeof TIMEOUT_PRESETS

function limits(idle: number, absolute: number, renewEvery: number): Timeouts {
  return Object.freeze({ idle, absolute, renewEvery })
}

/** @throws TypeError */
export function checkedPreset(preset: unknown = 'owasp-low'): TimeoutPreset {
  if (typeof preset === 'string' && Object.hasOwn(TIMEOUT_PRESETS, preset)) return preset as TimeoutPreset
  throw new TypeError(`"preset" option must be one of ${Object.keys(TIMEOUT_PRESETS).join(', ')}`)
}

/**
 * What a store made for the preset has: its limits, or less. Anything but a number is left to the store's own checks.
 *
 * @throws TypeError for more than the preset allows
 */
export function storeTimeouts(
  preset: TimeoutPreset,
  given: { readonly ttl?: unknown; readonly absoluteTimeout?: unknown },
): { ttl: number; absoluteTimeout: number } {
  const { idle, absolute } = TIMEOUT_PRESETS[preset]
  const { ttl = idle, absoluteTimeout = absolute } = given
  if (typeof ttl === 'function') {
    throw new TypeError(
      `"ttl" option must be a number: what a function returns cannot be held to the ${idle} seconds of preset ${preset}`,
    )
  }
  refuseMore('ttl', ttl, preset, idle)
  refuseMore('absoluteTimeout', absoluteTimeout, preset, absolute)
  return { ttl: ttl as number, absoluteTimeout: absoluteTimeout as number }
}

function refuseMore(name: string, value: unknown, preset: TimeoutPreset, limit: number): void {
  if (typeof value !== 'number' || value <= limit) return
  throw new TypeError(`"${name}" option must be at most ${limit} seconds with preset ${preset}, not ${value}`)
}

/** @throws TypeError if the caller's own store allows more than the preset, saying what to set on it */
export function checkStoreTimeouts(preset: TimeoutPreset, store: StoreTimeouts): void {
  const { idle, absolute } = TIMEOUT_PRESETS[preset]
  const refuse = (what: string) => new TypeError(`"store" option does not satisfy preset ${preset}: ${what}`)
  if (store.disableTTL) throw refuse('make it without "disableTTL", or its sessions never end')
  if (store.disableTouch) throw refuse('make it without "disableTouch", or its sessions end while they are used')
  if (typeof store.ttl !== 'number' || store.ttl > idle) {
    throw refuse(`set its "ttl" to a number of at most ${idle} seconds`)
  }
  if (store.absoluteMs === undefined || store.absoluteMs > absolute * 1000) {
    throw refuse(`set its "absoluteTimeout" to at most ${absolute} seconds`)
  }
}
