import { SessionStoreError } from '../errors.js'
import { checkNames } from '../known-options.js'
import { type DeviceHandler, handle } from './device/device-options.js'
import type { DeviceRequest } from './device/device-session.js'
import { hasSession, type Middleware } from './session-request.js'

export interface RequireBoundDeviceOptions {
  /**
   * Handles a request that is not bound to its device, e.g. redirects to a page that says which browsers can do it.
   * Default: an error with status 403.
   */
  onUnbound?: DeviceHandler
}

const NAMES: Record<keyof RequireBoundDeviceOptions, 0> = { onUnbound: 0 }

/**
 * Lets a request pass only if `bindDevice` has found a bound cookie that counts: the request comes from the device that
 * has logged in. Use it for what must not be had with a stolen cookie, not even for minutes.
 *
 * Any other request gets an error with status 403 and the code ERR_SESSION_DEVICE_NOT_BOUND, also from browsers that
 * cannot bind sessions. `onUnbound` replaces this.
 *
 * @throws TypeError for unknown or malformed options; Error at a request if `bindDevice` does not stand before it
 */
export function requireBoundDevice(options: RequireBoundDeviceOptions = {}): Middleware {
  checkNames('requireBoundDevice', options, NAMES, 'requireBoundDevice({ onUnbound })')
  const { onUnbound } = options
  if (onUnbound !== undefined && typeof onUnbound !== 'function') {
    throw new TypeError('"onUnbound" option must be a function of (req, res, next)')
  }

  return function requireBoundDevice(request, res, next) {
    const req = request as DeviceRequest
    const { deviceSession } = req
    if (deviceSession === undefined && hasSession(req)) {
      throw new Error('requireBoundDevice() needs bindDevice() before it, or secureSession({ device: true })')
    }
    if (deviceSession?.fresh) return next()
    if (onUnbound !== undefined) return handle(onUnbound, request, res, next)
    next(new SessionStoreError('ERR_SESSION_DEVICE_NOT_BOUND', 'this needs a session that is bound to its device'))
  }
}
