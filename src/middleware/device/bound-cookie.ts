import { createHmac, timingSafeEqual } from 'node:crypto'
import type { DeviceOptions } from './device-options.js'

/*
 * The bound cookie says when it was issued, and proves it with an HMAC under the secret of its session:
 * `mhk3o0x1.9fV…`. Each cookie therefore counts until its own end, however many tabs have refreshed meanwhile, also in
 * another process, and after a failover of Redis has lost a refresh.
 */

const FORM = /^([0-9a-z]{1,10})\.([\w-]{22})$/

/** @param issuedAtMs milliseconds since 1970, by Redis's clock */
export function boundValue(secret: string, issuedAtMs: number): string {
  const issued = issuedAtMs.toString(36)
  return `${issued}.${macOf(secret, issued)}`
}

/** Returns when a bound cookie of this session was issued; undefined if the value is none. */
export function issuedAtMs(value: string | undefined, secret: string): number | undefined {
  const [, issued, mac] = FORM.exec(value ?? '') ?? []
  if (issued === undefined || mac === undefined) return undefined
  const isRight = timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(secret, issued)))
  return isRight ? Number.parseInt(issued, 36) : undefined
}

/** The attributes as the browser compares them: those of the cookie, without its lifetime. */
export function boundAttributes({ sameSite }: DeviceOptions): string {
  return `Path=/; Secure; HttpOnly; SameSite=${sameSite === 'strict' ? 'Strict' : 'Lax'}`
}

/** A Set-Cookie header. Without a value, it deletes the cookie. */
export function setBoundCookie(options: DeviceOptions, value = ''): string {
  const seconds = value === '' ? 0 : Math.ceil(options.everyMs / 1000)
  return `${options.name}=${value}; ${boundAttributes(options)}; Max-Age=${seconds}`
}

function macOf(secret: string, issued: string): string {
  return createHmac('sha256', secret)
    .update(`connect-redis-hash bound cookie ${issued}`)
    .digest('base64url')
    .slice(0, 22)
}
