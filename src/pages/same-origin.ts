import type { IncomingMessage } from 'node:http'

/** The characters of a valid Host header. Any other, such as `@`, would become another part of the URL below. */
const HOST = /^[\w.-]+(?::\d+)?$|^\[[\da-f:.]+\](?::\d+)?$/i

/**
 * Whether a page of this origin has sent the request, so that no other site can make a visitor's browser end their
 * sessions (OWASP Cross-Site Request Forgery Prevention Cheat Sheet, "Fetch Metadata headers" and "Verifying Origin
 * with Standard Headers"). `Sec-Fetch-Site` decides if it is there; browsers send it except over plain HTTP. Otherwise
 * `Origin` must be there and match. A sibling subdomain (`same-site`) is another origin.
 */
export function isSameOrigin(req: IncomingMessage): boolean {
  const site = req.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  const { origin, host } = req.headers
  if (origin === undefined || host === undefined || !HOST.test(host) || !URL.canParse(origin)) return false
  const { protocol, host: from } = new URL(origin)
  if (protocol !== 'https:' && (protocol !== 'http:' || isSecure(req))) return false
  // Both are parsed, so that default ports and upper case make no difference.
  return from === new URL(`${protocol}//${host}`).host
}

/**
 * Whether the visitor certainly came over TLS. False is no proof of the opposite: Express may not know of a TLS proxy.
 */
function isSecure(req: IncomingMessage & { protocol?: unknown }): boolean {
  return req.protocol === 'https' || 'encrypted' in req.socket
}
