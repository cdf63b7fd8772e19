import type { IncomingMessage } from 'node:http'

/** What a Host header is made of. Anything else, an `@` above all, would be read as other parts of a URL. */
const HOST = /^[\w.-]+(?::\d+)?$|^\[[\da-f:.]+\](?::\d+)?$/i

/**
 * Whether a page of this very origin has sent the request: no other site makes a visitor's browser end his sessions
 * (OWASP Cross-Site Request Forgery Prevention Cheat Sheet, "Fetch Metadata headers" and "Verifying Origin with Standard
 * Headers"). `Sec-Fetch-Site` decides where a browser sends it: that is everywhere but over plain HTTP, and where it is
 * missing, `Origin` has to be there. A sibling subdomain (`same-site`) is another origin.
 */
export function isFromOwnPage(req: IncomingMessage): boolean {
  const site = req.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  const { origin, host } = req.headers
  if (origin === undefined || host === undefined || !HOST.test(host) || !URL.canParse(origin)) return false
  const { protocol, host: from } = new URL(origin)
  if (protocol !== 'https:' && (protocol !== 'http:' || isSecure(req))) return false
  // Parsed alike, for default ports and upper case.
  return from === new URL(`${protocol}//${host}`).host
}

/**
 * Whether the visitor is known to have come over TLS. If not, he may have all the same, through a proxy that nobody told
 * the application about.
 */
function isSecure(req: IncomingMessage & { protocol?: unknown }): boolean {
  return req.protocol === 'https' || 'encrypted' in req.socket
}
