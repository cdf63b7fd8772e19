import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Html, html } from '../../pages/html.js'

/** Keeps the fragment of the address, which no other way does. */
const RELOAD = 'location.reload()'
const RELOAD_HASH = createHash('sha256').update(RELOAD).digest('base64')

/**
 * Whether another origin has led the visitor here, by a link for example. A browser refreshes a bound cookie only before
 * requests of this origin, so that such a request comes without one.
 */
export function isLedHere({ method, headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  const isNavigation = method === 'GET' && headers['sec-fetch-mode'] === 'navigate'
  return isNavigation && (site === 'cross-site' || site === 'same-site')
}

/**
 * Sends a page that requests the same address again, this time from this origin: the browser then refreshes the bound
 * cookie first. Where a policy forbids the script, the page does the same a second later, without the fragment.
 */
export function sendComeAgain(req: IncomingMessage & { originalUrl?: string }, res: ServerResponse): void {
  const again = ownAddress(req.originalUrl ?? req.url ?? '')
  res.statusCode = 200
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('Content-Type', 'text/html; charset=utf-8')
  res.setHeader('Content-Security-Policy', `default-src 'none'; script-src 'sha256-${RELOAD_HASH}'`)
  res.end(
    html`<!doctype html>
<title>One moment</title>
<script>${new Html(RELOAD)}</script>
<meta http-equiv="refresh" content="1; url=${again}">
<p><a href="${again}">Continue</a></p>
`.text,
  )
}

/** The address relative to itself, because a path that begins with two slashes would lead to another host. */
function ownAddress(url: string): string {
  const [address = ''] = url.split('#', 1)
  const [path = ''] = address.split('?', 1)
  return `./${address.slice(path.lastIndexOf('/') + 1)}`
}
