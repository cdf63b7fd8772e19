/** The path of a URL, without its query. */
export function pathOf(url = ''): string {
  return url.split('?', 1)[0] || '/'
}

/**
 * The path of the router, relative to the requested page. It stays correct behind a proxy that removes a prefix, and
 * leads to no other site whatever the path looks like. From `/account/sessions` it is `./sessions/`, from
 * `/account/sessions/` it is `./`, and from a page of the router below that, `/account/sessions/a/b`, it is `../`.
 */
export function baseOf(req: { url?: string | undefined; originalUrl?: string }): string {
  const below = pathOf(req.url).split('/').length - 2
  if (below > 0) return '../'.repeat(below)
  const own = pathOf(req.url)
  // The router's own path has no slash of its own: `/a` below it is a sibling.
  if (own !== '/') return './'
  const path = pathOf(req.originalUrl ?? req.url)
  const last = path.slice(path.lastIndexOf('/') + 1)
  return last === '' ? './' : `./${last}/`
}
