import type { IncomingMessage, ServerResponse } from 'node:http'

/** Whether the client prefers JSON. Scripts ask for it; browsers accept HTML in any case. */
export function wantsJson({ headers }: IncomingMessage): boolean {
  const accept = headers.accept ?? ''
  return /\bapplication\/json\b/i.test(accept) && !/\btext\/html\b/i.test(accept)
}

export function sendJson(res: ServerResponse, status: number, body: object): void {
  send(res, status, 'application/json; charset=utf-8', JSON.stringify(body))
}

const HTML_TYPE = 'text/html; charset=utf-8'

/** The content security policy of all pages: nothing but the stylesheet, and in no frame. */
export const PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"

/** Sends HTML. The policy is added to the application's own, if there is one: browsers enforce both. */
export function sendPage(res: ServerResponse, html: string, status = 200, policy = PAGE_POLICY): void {
  setPageHeaders(res, policy)
  send(res, status, HTML_TYPE, html)
}

/** What `beginPage` sets. */
export const PAGE_HEADERS = [
  'Content-Security-Policy',
  'Referrer-Policy',
  'Cache-Control',
  'X-Content-Type-Options',
  'Content-Type',
  'Vary',
] as const

/**
 * Sets the headers of a page that is sent later, or piece by piece.
 *
 * @param policy content security policy; undefined for none but the application's
 */
export function beginPage(res: ServerResponse, policy: string | undefined): void {
  setPageHeaders(res, policy)
  setHeaders(res, 200, HTML_TYPE)
}

function setPageHeaders(res: ServerResponse, policy: string | undefined): void {
  if (policy !== undefined) res.appendHeader('Content-Security-Policy', policy)
  // With `no-referrer`, the default of helmet, browsers send `Origin: null` with a form.
  res.setHeader('Referrer-Policy', 'same-origin')
}

export function sendStyle(res: ServerResponse, css: string): void {
  res.setHeader('Cache-Control', 'private, max-age=3600')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('Content-Type', 'text/css; charset=utf-8')
  res.end(css)
}

/** Redirects with 303: the browser requests the next page with GET, and reloading that page posts nothing. */
export function redirect(res: ServerResponse, location: string): void {
  res.setHeader('Location', location)
  send(res, 303, 'text/plain; charset=utf-8', '')
}

function send(res: ServerResponse, status: number, type: string, body: string): void {
  setHeaders(res, status, type)
  res.end(body)
}

function setHeaders(res: ServerResponse, status: number, type: string): void {
  res.statusCode = status
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('Content-Type', type)
  res.appendHeader('Vary', 'Accept')
}
