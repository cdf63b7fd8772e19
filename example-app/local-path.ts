/** Matches `/`, `/cart`, `/add/earl-grey`: words of letters, digits, underscores and hyphens. */
const LOCAL = /^\/(?:[\w-]+(?:\/[\w-]+)*)?$/

/**
 * Returns the page a visitor wanted, if it is a page of this shop. Otherwise a link to this shop could lead to another
 * site (open redirect): browsers read `//evil.example`, for example, as one.
 */
export function localPath(value: unknown, otherwise: string): string {
  return typeof value === 'string' && LOCAL.test(value) ? value : otherwise
}

/** Pages with forms that are posted to other paths than their own, by the beginning of those. */
const FORM_PAGES = ['/cart', '/account/sessions', '/account/delete', '/account', '/confirm', '/outage']

/** Returns the page on which a form is that is posted to this path. */
export function pageOfForm(path: string): string {
  return FORM_PAGES.find((page) => path === page || path.startsWith(`${page}/`)) ?? '/'
}

/** Makes `/login?to=%2Fcart`. */
export function via(page: '/login' | '/confirm', to: string): string {
  return `${page}?${new URLSearchParams({ to })}`
}
