/** Of a request's URL. */
export function pathOf(url = ''): string {
  return url.split('?', 1)[0] || '/'
}

/**
 * Relative, so that it also holds behind a proxy that has taken a part of the path away, and leads to no other site
 * whatever the path looks like. From `/account/sessions` it is `./sessions/`, from `/account/sessions/` it is `./`.
 */
export function baseOf(req: { url?: string | undefined; originalUrl?: string }): string {
  const path = pathOf(req.originalUrl ?? req.url)
  const last = path.slice(path.lastIndexOf('/') + 1)
  return last === '' ? './' : `./${last}/`
}
