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

/**
 * Sends HTML. The policy is added to the application's own, if there is one: browsers enforce both.
 *
 * @param policy further directives of the content security policy
 */
export function sendPage(res: ServerResponse, html: string, status = 200, policy = ''): void {
  setPageHeaders(res, policy)
  send(res, status, HTML_TYPE, html)
}

/** Sets the headers of a page that is sent piece by piece. */
export function beginPage(res: ServerResponse, policy: string): void {
  setPageHeaders(res, policy)
  setHeaders(res, 200, HTML_TYPE)
}

function setPageHeaders(res: ServerResponse, policy: string): void {
  res.appendHeader(
    'Content-Security-Policy',
    `default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'${policy}`,
  )
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
