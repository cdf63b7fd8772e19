import type { Described } from '../../admin/describe.js'
import type { Property } from '../../admin/properties.js'
import { bytes } from '../../cli/output/times.js'
import { type Html, html } from '../../pages/html.js'
import { type Asked, queryOf } from '../entry-asked.js'
import type { ResolvedAdminRouter } from '../options.js'
import type { PageBody, Visit } from '../visit.js'
import { indexLinks, shown, timeAgo, timeUntil, utc } from './text.js'

export interface Shown {
  asked: Asked | undefined
  session: Described
  properties: readonly (Property & { isShown: boolean })[]
}

/** Characters of a value that a page shows. */
const MAX_VALUE = 2000

/** One session: times, client, indexes, and what it holds. */
export function sessionPage(
  { readOnly }: ResolvedAdminRouter,
  { base }: Visit,
  { asked, session, properties }: Shown,
): PageBody {
  const { handle, client, deviceBound, format, indexes } = session
  const title = client === undefined ? `Session ${handle.slice(0, 8)}` : shown(client)
  const body = html`<p class="back"><a href="${base}sessions${queryOf(asked)}"><span aria-hidden="true">←</span> ${asked === undefined ? 'Sessions' : `Sessions of ${asked.index} ${shown(asked.value)}`}</a></p>
<h1>${title}</h1>
<dl class="panel facts">
<div><dt>Handle</dt><dd class="handle">${handle}</dd></div>
<div><dt>Found under</dt><dd>${indexLinks(indexes, base)}</dd></div>
<div><dt>Last seen</dt><dd>${timeAgo(session.seenAt)}${precisely(session.seenAt)}</dd></div>
<div><dt>Began</dt><dd>${timeAgo(session.createdAt)}${precisely(session.createdAt)}</dd></div>
<div><dt>Ends</dt><dd>${timeUntil(session.expiresAt)}${precisely(session.expiresAt)}</dd></div>
<div><dt>Device</dt><dd>${deviceBound ? 'bound to the device that has logged in' : 'not bound to a device'}</dd></div>
${format === undefined ? '' : html`<div><dt>Format</dt><dd>a string of connect-redis, which its next save makes a hash</dd></div>`}
</dl>
<h2>Properties</h2>
${properties.length === 0 ? html`<p class="empty">It has none.</p>` : table(properties)}
${readOnly ? '' : html`<p class="actions"><a class="button strong" href="${base}sessions/${handle}/end${queryOf(asked)}">End this session…</a></p>`}`
  return { title, at: 'sessions', body }
}

function precisely(at: Date | null): Html | '' {
  return at === null ? '' : html` <span class="soft">${utc(at)}</span>`
}

function table(properties: Shown['properties']): Html {
  const isAny = properties.some(({ isShown }) => isShown)
  return html`<table class="figures">
<caption class="hidden">Properties</caption>
<thead><tr><th scope="col">Name</th><th scope="col" class="number">Size</th>${isAny ? html`<th scope="col">Value</th>` : ''}</tr></thead>
<tbody>
${properties.map((property) => row(property, isAny))}
</tbody>
</table>`
}

function row({ name, bytes: size, value, isShown }: Shown['properties'][number], isAny: boolean): Html {
  const cell = isAny
    ? html`<td class="value">${isShown ? valueText(value) : html`<span class="soft">not shown</span>`}</td>`
    : ''
  return html`<tr><th scope="row">${shown(name)}</th><td class="number">${bytes(size)}</td>${cell}</tr>`
}

function valueText(value: unknown): Html {
  if (value === undefined) return html`<span class="soft">encrypted</span>`
  const text = shown(JSON.stringify(value))
  if (text.length <= MAX_VALUE) return html`<code>${text}</code>`
  return html`<code>${text.slice(0, MAX_VALUE)}</code> <span class="soft">… cut off here</span>`
}
