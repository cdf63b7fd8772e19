import type { IncomingMessage } from 'node:http'
import type { StoreAccess } from '../../requests/store-access.js'
import type { SessionRequest } from '../session-request.js'
import { isLedHere } from './come-again.js'
import type { DeviceOptions } from './device-options.js'
import { type DeviceStanding, deviceStanding, isUnconfirmed } from './device-standing.js'

/** The result of `bindDevice()` for a request, in `req.deviceSession`. */
export interface DeviceSession {
  /** Whether the session that the request came with is bound to a device. */
  bound: boolean
  /** Whether the request has brought a valid bound cookie of this session. */
  fresh: boolean
}

declare global {
  namespace Express {
    interface Request {
      /** The result of `bindDevice()` for this request. */
      deviceSession?: DeviceSession
    }
  }
}

export type DeviceRequest = SessionRequest & { deviceSession?: DeviceSession; originalUrl?: string }

/** Sets `req.deviceSession`. @returns whether the request may have the session */
export function admitDevice(
  req: DeviceRequest,
  session: object,
  store: StoreAccess,
  options: DeviceOptions,
): boolean | Promise<boolean> {
  const standing = deviceStanding(req, session, store, options)
  return typeof standing === 'string'
    ? settled(req, session, store, standing)
    : standing.then((told) => settled(req, session, store, told))
}

function settled(
  req: DeviceRequest,
  session: object,
  store: StoreAccess,
  standing: DeviceStanding,
): boolean | Promise<boolean> {
  req.deviceSession = { bound: standing !== 'unbound', fresh: standing === 'fresh' }
  if (standing === 'missing') {
    // Such a request is asked to come again. It gives nothing away, and is no sign of a theft.
    if (isLedHere(req)) return false
    const skipped = skippedIn(req)
    store.announce('unbound', { handle: store.state.handleOf(session), ...(skipped && { skipped }) })
    return false
  }
  if (standing !== 'fresh' || !isUnconfirmed(session, store)) return true
  return store.devices.confirm(session).then(() => true)
}

const SKIPPED = ['unreachable', 'server_error', 'quota_exceeded'] as const

/** Why the browser says that it has not refreshed the bound cookie. */
function skippedIn({ headers }: IncomingMessage): (typeof SKIPPED)[number] | undefined {
  const text = String(headers['secure-session-skipped'] ?? '')
  return SKIPPED.find((token) => text.split(/[\s,;]+/, 20).includes(token))
}
