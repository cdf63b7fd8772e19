import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkNames } from '../../known-options.js'

/** Handles a request in place of the application. If it fails, so does the request. */
export type DeviceHandler = (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => unknown

/** Nobody else would hear of the failure of an asynchronous handler. */
export function handle(handler: DeviceHandler, ...[req, res, next]: Parameters<DeviceHandler>): void {
  Promise.resolve(handler(req, res, next)).catch(next)
}

export interface BindDeviceOptions {
  /**
   * How long the bound cookie lasts, in seconds. The browser asks for the next one in the background. A thief with all
   * cookies is out after this time and `grace`. Default 600.
   */
  every?: number
  /**
   * How many seconds requests that were on their way are still served: with a bound cookie that has ended, or without
   * one right after the registration. Default 10, or a quarter of `every` if that is less.
   */
  grace?: number
  /** Path at which browsers register and refresh. Default `'/.well-known/device-session'`. */
  path?: string
  /**
   * The bound cookie. `name` must begin with `__Host-`; default `'__Host-device'`. `sameSite`: `'lax'` (default) or
   * `'strict'`; with `secureSession`, the default is that of its cookie.
   */
  cookie?: { name?: string; sameSite?: 'lax' | 'strict' }
  /**
   * Handles a request of a bound session that does not bring the bound cookie. `req.session` is then a new, empty one.
   * Default: the request goes on like one without a session.
   */
  onUnbound?: DeviceHandler
}

/** The options of `bindDevice`, checked and with defaults. */
export interface DeviceOptions {
  everyMs: number
  graceMs: number
  path: string
  name: string
  sameSite: 'lax' | 'strict'
  onUnbound: DeviceHandler | undefined
}

/** The compiler keeps these maps complete. Any other name is a typing mistake of the caller. */
const NAMES: Record<keyof BindDeviceOptions, 0> = { every: 0, grace: 0, path: 0, cookie: 0, onUnbound: 0 }
const COOKIE_NAMES: Record<keyof Required<BindDeviceOptions>['cookie'], 0> = { name: 0, sameSite: 0 }

export const DEVICE_PATH = '/.well-known/device-session'

/** @throws TypeError that names the option */
export function checkedDeviceOptions(options: BindDeviceOptions): DeviceOptions {
  checkNames('bindDevice', options, NAMES, 'bindDevice({ every: 600 })')
  const { every = 600, path = DEVICE_PATH, cookie = {}, onUnbound } = options
  if (typeof every !== 'number' || !(every >= 1) || !Number.isFinite(every)) {
    throw new TypeError('"every" option must be seconds, 1 or more')
  }
  const { grace = Math.min(10, every / 4) } = options
  if (typeof grace !== 'number' || !(grace >= 0) || !Number.isFinite(grace)) {
    throw new TypeError('"grace" option must be seconds, 0 or more')
  }
  // It becomes part of headers and JSON, where a browser resolves it like a link.
  if (typeof path !== 'string' || !/^\/(?!\/)[\w\-.~/%!$&'()*+,;=:@]*$/.test(path)) {
    throw new TypeError('"path" option must be a path such as /device, without a query')
  }
  if (onUnbound !== undefined && typeof onUnbound !== 'function') {
    throw new TypeError('"onUnbound" option must be a function of (req, res, next)')
  }
  const times = { everyMs: Math.round(every * 1000), graceMs: Math.round(grace * 1000) }
  return { ...times, path, onUnbound, ...checkedCookie(cookie) }
}

function checkedCookie(cookie: unknown): Pick<DeviceOptions, 'name' | 'sameSite'> {
  if (typeof cookie !== 'object' || cookie === null) throw new TypeError('"cookie" option must be { name, sameSite }')
  for (const given of Object.keys(cookie)) {
    if (!Object.hasOwn(COOKIE_NAMES, given)) throw new TypeError(`"cookie" option of bindDevice has no "${given}"`)
  }
  const { name = '__Host-device', sameSite = 'lax' } = cookie as Required<BindDeviceOptions>['cookie']
  // Without the prefix, a subdomain could plant a bound cookie of its own.
  if (typeof name !== 'string' || !/^__Host-[\w!#$%&'*+\-.^`|~]+$/.test(name)) {
    throw new TypeError('"cookie.name" option must begin with "__Host-", such as the default "__Host-device"')
  }
  if (sameSite !== 'lax' && sameSite !== 'strict') {
    throw new TypeError("\"cookie.sameSite\" option must be 'lax' or 'strict'")
  }
  return { name, sameSite }
}
