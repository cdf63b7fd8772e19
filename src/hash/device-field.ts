/**
 * The `@db` field of a session that `bindDevice` has bound to a device, three words: `9fV… mhk3o0x1 c`
 *
 * - secret: 128 random bits, with which the bound cookies are made (middleware/device/bound-cookie.ts).
 * - since: when the device was registered; milliseconds since 1970 in base 36, by Redis's clock.
 * - u (unconfirmed): nobody has presented a bound cookie yet, so the answer to the registration may be lost. c: somebody
 *   has.
 */
export interface DeviceBinding {
  secret: string
  /** Milliseconds since 1970. */
  sinceMs: number
  isConfirmed: boolean
}

const FORM = /^([\w-]{22}) ([0-9a-z]{1,10}) ([uc])$/

/** Returns null if the text does not have this format. */
export function parseDeviceBinding(text: string | undefined): DeviceBinding | null {
  const [, secret, since, state] = FORM.exec(text ?? '') ?? []
  if (secret === undefined || since === undefined) return null
  return { secret, sinceMs: Number.parseInt(since, 36), isConfirmed: state === 'c' }
}

/** The `@dc` field: a challenge, and when it was made, in milliseconds since 1970. */
export function challengeText(challenge: string, nowMs: number): string {
  return `${challenge} ${Math.round(nowMs).toString(36)}`
}
