/** `/`, `/cart`, `/add/earl-grey`: words of letters, digits and hyphens. */
const LOCAL = /^\/(?:[\w-]+(?:\/[\w-]+)*)?$/

/**
 * Where a visitor wanted to go. Pages of this shop only: with `//evil.example`, or anything else that a browser may read
 * as another site, a link to this shop would end there (open redirect).
 */
export function localPath(value: unknown, otherwise: string): string {
  return typeof value === 'string' && LOCAL.test(value) ? value : otherwise
}

/** `/login?to=%2Fcart` */
export function via(page: '/login' | '/confirm', to: string): string {
  return `${page}?${new URLSearchParams({ to })}`
}
