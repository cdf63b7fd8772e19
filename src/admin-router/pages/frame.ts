import { html } from '../../pages/html.js'
import { PAGE_POLICY } from '../../pages/responses.js'
import type { ResolvedAdminRouter } from '../options.js'
import type { PageBody, Section, Visit } from '../visit.js'

/** The policy of all pages, and their forms go nowhere else. */
export const POLICY = `${PAGE_POLICY}; form-action 'self'`

const SECTIONS: Readonly<Record<Section, string>> = {
  sessions: 'Sessions',
  activity: 'Activity',
  stats: 'Redis',
  events: 'Live',
  health: 'Health',
}

/** A page in its frame. It needs no script. */
export function pageOf(router: ResolvedAdminRouter, visit: Visit, page: PageBody): string {
  const [head, tail] = frameOf(router, visit, page)
  return `${head}${page.body.text}${tail}`
}

/** What comes before the content of a page, and after it. */
export function frameOf(
  { readOnly }: ResolvedAdminRouter,
  { base }: Visit,
  { title, at }: Omit<PageBody, 'body'>,
): [string, string] {
  const links = Object.entries(SECTIONS).map(([path, name]) => {
    const isHere = path === at
    return html`<li><a href="${base}${path}"${isHere ? html` aria-current="page"` : ''}>${name}</a></li>`
  })
  const head = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · Sessions</title>
<link rel="stylesheet" href="${base}style.css">
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header>
<nav aria-label="Administration">
<ul>
${links}
</ul>
</nav>
${readOnly ? html`<span class="badge">Read only</span>` : ''}
</header>
<main id="content" tabindex="-1">
`.text
  const tail = html`
</main>
<footer><a href="${base}openapi.json">The same as JSON</a></footer>
</body>
</html>
`.text
  return [head, tail]
}
