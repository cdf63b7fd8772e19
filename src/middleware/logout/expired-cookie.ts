import type { ServerResponse } from 'node:http'
import type { Cookie } from 'express-session'
import { attachment } from '../../requests/attachment.js'
import { cookieValue } from '../../signed-cookie.js'
import { forbidCaching, forbidCachingOfLogout } from '../forbid-caching.js'
import type { SessionRequest } from '../session-request.js'

type AnyCookie = Cookie & { serialize(name: string, value: string): string }

/** The name of the session cookie, where a middleware knows it. */
const names = attachment<string>()
const expiring = new WeakSet<ServerResponse>()

/** Notes the name of the session cookie for `cookieName`. */
export function noteCookieName(req: object, name: string): void {
  names.set(req, name)
}

/**
 * Finds the name of the cookie that holds one of these ids in the form that express-session gives it, because
 * express-session does not expose its option `name`. A cookie with its default name may have another signature.
 *
 * @returns undefined if the request has no such cookie
 */
export function cookieName(req: SessionRequest, ids: readonly (string | undefined)[]): string | undefined {
  const known = names.get(req)
  if (known !== undefined) return known
  const header = req.headers.cookie ?? ''
  const sent = header.split(';').map((pair) => (pair.split('=', 1)[0] ?? '').trim())
  const holds = (name: string) => ids.some((id) => id && cookieValue(header, name)?.startsWith(`s:${id}.`))
  return sent.find(holds) ?? sent.find((name) => name === 'connect.sid')
}

/**
 * Returns a Set-Cookie header that deletes a cookie, with all attributes that it was set with. Browsers tell cookies apart by
 * name, Domain, Path and Partitioned (RFC 6265, 5.3), and ignore the header for a `__Host-` cookie without Secure.
 */
export function expiredCookie(name: string, cookie: Cookie): string {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(cookie) as object) as AnyCookie, cookie)
  copy.expires = new Date(0)
  return copy.serialize(name, '')
}

/** Whether the application has set a lifetime of 0 or less: a save then ends the session, as in MemoryStore. */
export function isExpired({ originalMaxAge }: Cookie): boolean {
  return typeof originalMaxAge === 'number' && originalMaxAge <= 0
}

/** Makes sure that no cache stores the response that expires the cookies of a session. */
export function beginExpiry(req: SessionRequest, res: ServerResponse): void {
  expiring.add(res)
  forbidCaching(req, res)
  forbidCachingOfLogout(res)
}

/** Whether the response expires the cookies of a session already. */
export function isExpiring(res: ServerResponse): boolean {
  return expiring.has(res)
}
