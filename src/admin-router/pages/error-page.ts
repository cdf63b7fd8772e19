import { html } from '../../pages/html.js'
import type { ResolvedAdminRouter } from '../options.js'
import type { Visit } from '../visit.js'
import { capital } from './capital.js'
import { pageOf } from './frame.js'

const TITLES: Readonly<Record<number, string>> = {
  400: 'That cannot be read',
  403: 'Not allowed',
  404: 'Not found',
  503: 'Not at the moment',
}

/** Titles of what does not pass by itself, although its status says so. */
const BY_CODE: Readonly<Record<string, string>> = {
  ERR_SESSION_FORBIDDEN: 'Redis does not allow that',
}

/** A page that says what is wrong. Somebody who was not let in sees nothing else. */
export function errorPage(
  router: ResolvedAdminRouter,
  visit: Visit,
  { status, message, code = '' }: { status: number; message: string; code?: string },
): string {
  const title = BY_CODE[code] ?? TITLES[status] ?? 'That did not work'
  const body = html`<h1>${title}</h1>
<p class="lead">${capital(message)}.</p>`
  if (visit.who !== undefined) {
    const back = html`<p class="actions"><a class="button" href="${visit.base}sessions">To the sessions</a></p>`
    return pageOf(router, visit, { title, body: html`${body}${back}` })
  }
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title></head>
<body><main>${body}</main></body>
</html>
`.text
}
