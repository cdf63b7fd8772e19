import { ago } from '../pages/ago.js'
import { type Html, html } from '../pages/html.js'
import type { OwnSession } from './own-sessions.js'

export interface Page {
  sessions: readonly OwnSession[]
  /** Number of sessions that the page does not show. */
  more: number
  /** Prefix of the router's own paths, relative to the page: `./sessions/`. */
  base: string
  back: string | undefined
  now: Date
}

/** Renders the list of sessions as an HTML page that needs no script. */
export function pageOf({ sessions, more, base, back, now }: Page): string {
  const others = sessions.filter(({ current }) => !current).length + more
  const items = sessions.map((session, i) => itemOf(session, `device-${i}`, base, now))
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Your devices</title>
<link rel="stylesheet" href="${base}style.css">
</head>
<body>
<main>
${back === undefined ? '' : html`<p class="back"><a href="${back}"><span aria-hidden="true">←</span> Back</a></p>`}
<h1>Your devices</h1>
<p class="lead">You are logged in here. If you do not know one of these, log it out and change your password.</p>
<ul class="devices">
${items}
</ul>
${more === 0 ? '' : html`<p class="more">and ${String(more)} more</p>`}
${others === 0 ? html`<p class="alone">You are logged in nowhere else.</p>` : endOthers(base, others)}
</main>
</body>
</html>
`.text
}

function itemOf(session: OwnSession, id: string, base: string, now: Date): Html {
  const { handle, client, createdAt, seenAt, deviceBound, current } = session
  const seen = current
    ? html`In use now`
    : html`Last seen <time datetime="${seenAt.toISOString()}">${ago(seenAt, now)}</time>`
  const badge = current ? html` <span class="badge">This device</span>` : ''
  return html`<li class="${current ? 'device current' : 'device'}">
<div class="about" id="${id}">
<h2>${client ?? 'Unnamed device'}${badge}</h2>
<p>${seen}${deviceBound ? ', bound to its device' : ''}</p>
<p>Since <time datetime="${createdAt.toISOString()}">${dateOf(createdAt)}</time> <span class="name">No. ${handle.slice(0, 6)}</span></p>
</div>
<form method="post" action="${base}end">
<input type="hidden" name="handle" value="${handle}">
<button aria-describedby="${id}">Log out</button>
</form>
</li>`
}

function endOthers(base: string, count: number): Html {
  return html`<form class="others" method="post" action="${base}end-others">
<button class="strong">Log out ${count === 1 ? 'the other device' : `the ${String(count)} other devices`}</button>
</form>`
}

/** Formats a date in UTC, because only a script in the browser would know the visitor's time zone. */
function dateOf(date: Date): string {
  const text = date.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' })
  return `${text} UTC`
}
