import type { StoreTimeouts } from '../requests/store-access.js'

/** The limits of a preset, in seconds. */
export interface Timeouts {
  /** How long a session lives without a request. */
  readonly idle: number
  /** How long a session lives in total, whether it is used or not. */
  readonly absolute: number
  /** How often the session id is renewed, unless the option `renew` says otherwise. */
  readonly renewEvery: number
  /** The level that `requireFreshLogin` asks for, unless its option `level` says otherwise. */
  readonly level: number
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * Published recommendations for session timeouts, as upper limits: `idle`, `absolute` and `renewEvery` in seconds, and
 * the `level` that `requireFreshLogin` asks for.
 *
 * `owasp-low` and `owasp-high` come from the OWASP Session Management Cheat Sheet, "Session Expiration": the longest of
 * the usual idle and absolute timeouts for low-risk and high-value applications. `nist-aal1` to `nist-aal3` come from
 * NIST SP 800-63B-4, reauthentication at authenticator assurance levels 1 to 3. Level 1 has no inactivity limit, so its
 * idle timeout is the absolute one. At levels 2 and 3, `requireFreshLogin` asks for a login at this level.
 */
export const TIMEOUT_PRESETS = Object.freeze({
  'owasp-low': limits(30 * MINUTE, 8 * HOUR, 15 * MINUTE),
  'owasp-high': limits(5 * MINUTE, 4 * HOUR, 5 * MINUTE),
  'nist-aal1': limits(30 * DAY, 30 * DAY, 15 * MINUTE),
  'nist-aal2': limits(1 * HOUR, 24 * HOUR, 15 * MINUTE, 2),
  'nist-aal3': limits(15 * MINUTE, 12 * HOUR, 5 * MINUTE, 3),
})

export type TimeoutPreset = keyof typeof TIMEOUT_PRESETS

function limits(idle: number, absolute: number, renewEvery: number, level = 1): Timeouts {
  return Object.freeze({ idle, absolute, renewEvery, level })
}

/**
 * Checks the option `preset`; the default is `owasp-low`.
 *
 * @throws TypeError that names the option
 */
export function checkedPreset(preset: unknown = 'owasp-low'): TimeoutPreset {
  if (typeof preset === 'string' && Object.hasOwn(TIMEOUT_PRESETS, preset)) return preset as TimeoutPreset
  throw new TypeError(`"preset" option must be one of ${Object.keys(TIMEOUT_PRESETS).join(', ')}`)
}

/**
 * Timeouts of a store that is made for the preset: its limits, or less. Values that are no numbers are left to the
 * store's own checks.
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

/**
 * Checks a store that the caller has made.
 *
 * @throws TypeError that says what to set, if the store allows more than the preset
 */
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
