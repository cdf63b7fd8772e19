import { SessionStoreError } from '../errors.js'
import { checkNames } from '../known-options.js'
import { type DeviceHandler, handle } from './device/device-options.js'
import type { DeviceRequest } from './device/device-session.js'
import { hasSession, type Middleware } from './session-request.js'

export interface RequireBoundDeviceOptions {
  /**
   * Handles a request without a valid bound cookie, e.g. redirects to a page that says which browsers can bind
   * sessions. Default: an error with status 403.
   */
  onUnbound?: DeviceHandler
}

const NAMES: Record<keyof RequireBoundDeviceOptions, 0> = { onUnbound: 0 }

/**
 * Lets a request pass only if `bindDevice` has found a valid bound cookie: the request then comes from the device that
 * has logged in. Use it for what a thief with a stolen cookie must not reach, not even for minutes.
 *
 * Any other request fails with status 403 and the code ERR_SESSION_DEVICE_NOT_BOUND, unless there is an `onUnbound`.
 * This includes requests of browsers that cannot bind sessions.
 *
 * @throws TypeError for unknown or malformed options; Error at a request if `bindDevice` has not run before
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
