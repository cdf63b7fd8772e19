import type { IncomingMessage } from 'node:http'
import { DEVICE_BINDING_FIELD, DEVICE_KEY_FIELD } from '../../hash/bookkeeping.js'
import { type DeviceBinding, parseDeviceBinding } from '../../hash/device-field.js'
import type { StoreAccess } from '../../requests/store-access.js'
import { cookieValue } from '../../signed-cookie.js'
import { issuedAtMs } from './bound-cookie.js'
import type { DeviceOptions } from './device-options.js'

/**
 * How a request stands to the device that its session is bound to.
 *
 * - `unbound`: the session is bound to none
 * - `fresh`: the request brings a bound cookie that counts
 * - `lenient`: it does not, but is admitted: the device has only just been registered, or does not know of that yet
 * - `missing`: it does not, and is not admitted
 */
export type DeviceStanding = 'unbound' | 'fresh' | 'lenient' | 'missing'

/**
 * Compares the bound cookie of a request with its session. Costs no command, except where the cookie seems too old and
 * this process has not heard of Redis's clock for a minute: its own clock may be wrong.
 */
export function deviceStanding(
  req: IncomingMessage,
  session: object,
  store: StoreAccess,
  options: DeviceOptions,
): DeviceStanding | Promise<DeviceStanding> {
  if (!store.fields.marked(session, DEVICE_KEY_FIELD)) return 'unbound'
  const binding = parseDeviceBinding(store.fields.marked(session, DEVICE_BINDING_FIELD))
  // Without a readable secret, no cookie can be right.
  if (binding === null) return 'missing'
  const issuedAt = issuedAtMs(cookieValue(req.headers.cookie ?? '', options.name), binding.secret)
  const knownMs = store.devices.knownMs(session)
  const standing = standingAt(knownMs ?? Date.now(), binding, issuedAt, options)
  if (standing !== 'missing' || knownMs !== undefined) return standing
  return store.devices.tellMs(session).then((nowMs) => standingAt(nowMs, binding, issuedAt, options))
}

function standingAt(
  nowMs: number,
  { isConfirmed, sinceMs }: DeviceBinding,
  issuedAt: number | undefined,
  { everyMs, graceMs }: DeviceOptions,
): DeviceStanding {
  if (issuedAt !== undefined && nowMs - issuedAt < everyMs + graceMs) return 'fresh'
  // An old cookie, too, shows that somebody has received one.
  const isKnown = isConfirmed || issuedAt !== undefined
  return !isKnown || nowMs - sinceMs < graceMs ? 'lenient' : 'missing'
}

/** Whether a session that is admitted with this cookie must be confirmed. */
export function isUnconfirmed(session: object, store: StoreAccess): boolean {
  return parseDeviceBinding(store.fields.marked(session, DEVICE_BINDING_FIELD))?.isConfirmed === false
}
