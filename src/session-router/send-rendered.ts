import type { ServerResponse } from 'node:http'
import { beginPage, PAGE_HEADERS } from '../pages/responses.js'
import type { DevicePage } from './device-page.js'
import type { RequestOfUser, ResolvedSessionRouter } from './options.js'

/**
 * Sends what `render` makes of the page. The headers are there before it is called, so that it can answer by itself,
 * with the `res.render` of Express.
 *
 * @throws what `render` throws; the headers are then as they were, because an error page needs a policy of its own
 */
export async function sendRendered(
  { render, policy }: ResolvedSessionRouter,
  page: DevicePage,
  req: RequestOfUser,
  res: ServerResponse,
): Promise<void> {
  const before = structuredClone(PAGE_HEADERS.map((name) => [name, res.getHeader(name)] as const))
  beginPage(res, policy)
  try {
    const html: unknown = await render(page, req, res)
    // `res.send` returns the response.
    if (html === undefined || html === res || res.headersSent) return
    if (typeof html !== 'string') throw new TypeError('"render" option must return HTML as a string, or answer itself')
    res.end(html)
  } catch (err) {
    if (!res.headersSent) restore(res, before)
    throw err
  }
}

function restore(
  res: ServerResponse,
  headers: readonly (readonly [string, ReturnType<ServerResponse['getHeader']>])[],
): void {
  for (const [name, value] of headers) {
    if (value === undefined) res.removeHeader(name)
    else res.setHeader(name, value)
  }
}
