import type { ServerResponse } from 'node:http'
import { isStandIn } from '../middleware/stand-in.js'

/**
 * Keeps a response that hands out the session cookie out of every cache, whatever the handler says about caching: who
 * gets it from there would be logged in as somebody else (OWASP Session Management Cheat Sheet, "Web Content Caching").
 *
 * Has to be called before `session()`: what wraps `writeHead` first runs last, when express-session has added its cookie
 * and has turned headers given to `writeHead` into headers of the response.
 */
export function forbidCaching(res: ServerResponse, cookieName: string): void {
  if (isStandIn(res)) return
  const writeHead = res.writeHead as (...args: unknown[]) => ServerResponse
  const head = (...args: unknown[]) => {
    if (setsCookie(res, cookieName)) {
      res.setHeader('Cache-Control', 'no-store')
      // Caches that have one of these of their own believe it first (RFC 9213).
      for (const header of ['CDN-Cache-Control', 'Surrogate-Control']) res.removeHeader(header)
    }
    return writeHead.apply(res, args)
  }
  Object.defineProperty(res, 'writeHead', { configurable: true, writable: true, value: head })
}

function setsCookie(res: ServerResponse, name: string): boolean {
  const header = res.getHeader('Set-Cookie') ?? []
  return [header].flat().some((cookie) => String(cookie).startsWith(`${name}=`))
}
