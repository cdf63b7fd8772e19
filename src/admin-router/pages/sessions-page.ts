import type { Described } from '../../admin/describe.js'
import { counted, grouped } from '../../cli/output/times.js'
import { type Html, html } from '../../pages/html.js'
import { type Asked, queryOf } from '../entry-asked.js'
import { MAX_PAGE, type SessionList } from '../list-sessions.js'
import type { ResolvedAdminRouter } from '../options.js'
import type { PageBody, Visit } from '../visit.js'
import { indexLinks, shown, timeAgo, timeUntil } from './text.js'

interface Listed {
  asked: Asked | undefined
  list: SessionList
}

/** The list of sessions: a search, a table, what can be ended. */
export function sessionsPage(router: ResolvedAdminRouter, visit: Visit, { asked, list }: Listed): PageBody {
  const { base } = visit
  const names = router.access.context.options.indexes.map(([name]) => name)
  const title = asked === undefined ? 'Sessions' : `Sessions of ${asked.index} ${shown(asked.value)}`
  const body = html`${notice(visit)}
<h1>${title}</h1>
<p class="lead">${summary({ asked, list })}</p>
${names.length === 0 ? '' : searchForm(names, asked, base)}
${list.sessions.length === 0 ? html`<p class="empty">There is nothing on this page.</p>` : table(list, base)}
${pager({ asked, list }, base)}
${router.readOnly || list.total === 0 ? '' : endLink({ asked, list }, base)}`
  return { title, at: 'sessions', body }
}

/** What has been done just before, as the address says. */
function notice({ query }: Visit): Html | '' {
  const [ended, ending] = [numberIn(query.get('ended')), numberIn(query.get('ending'))]
  if (ended !== undefined) return html`<p class="notice" role="status">${counted(ended, 'session')} ended.</p>`
  if (ending === undefined) return ''
  return html`<p class="notice" role="status">${counted(ending, 'session')} ended so far, and it goes on. Load this page again to see how many are left.</p>`
}

function numberIn(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

function summary({ asked, list }: Listed): string {
  const { total, complete } = list
  if (complete) return total === 0 ? 'There are none.' : `${counted(total, 'session')}, the most recently seen first.`
  const which = asked === undefined ? 'These are the newest among them.' : 'These are the newest.'
  return `More than ${counted(total, 'session')}: the time was too short to look at all. ${which}`
}

function searchForm(names: readonly string[], asked: Asked | undefined, base: string): Html {
  const options = names.map((name) => html`<option${name === asked?.index ? html` selected` : ''}>${name}</option>`)
  return html`<form class="search" role="search" method="get" action="${base}sessions">
<label>Index <select name="index">
${options}
</select></label>
<label class="wide">Value <input name="value" value="${asked?.value ?? ''}" autocomplete="off" autocapitalize="none" spellcheck="false"></label>
<button>Find</button>
${asked === undefined ? '' : html`<a class="button" href="${base}sessions">All</a>`}
</form>`
}

function table({ sessions }: SessionList, base: string): Html {
  return html`<table class="sessions" role="table">
<caption class="hidden">Sessions</caption>
<thead role="rowgroup"><tr role="row">
<th role="columnheader" scope="col">Session</th>
<th role="columnheader" scope="col">Found under</th>
<th role="columnheader" scope="col">Last seen</th>
<th role="columnheader" scope="col">Began</th>
<th role="columnheader" scope="col">Ends</th>
</tr></thead>
<tbody role="rowgroup">
${sessions.map((session) => row(session, base))}
</tbody>
</table>`
}

function row(session: Described, base: string): Html {
  const { handle, client, deviceBound, format, indexes, seenAt, createdAt, expiresAt } = session
  const name = handle.slice(0, 8)
  return html`<tr role="row">
<td role="cell"><a class="main" href="${base}sessions/${handle}${queryOf(firstOf(indexes))}">${client === undefined ? 'Session' : shown(client)}<span class="hidden"> ${name}</span></a>
<div class="under"><span class="handle" aria-hidden="true">${name}</span>${badges(deviceBound, format)}</div></td>
<td role="cell" data-title="Found under">${indexLinks(indexes, base)}</td>
<td role="cell" data-title="Last seen">${timeAgo(seenAt)}</td>
<td role="cell" data-title="Began">${timeAgo(createdAt)}</td>
<td role="cell" data-title="Ends">${timeUntil(expiresAt)}</td>
</tr>`
}

function badges(deviceBound: boolean, format: Described['format']): Html {
  return html`${deviceBound ? html`<span class="badge">Device-bound</span>` : ''}${format === undefined ? '' : html`<span class="badge">connect-redis</span>`}`
}

/** An index value of a session: the page of the session finds it there at once. */
function firstOf(indexes: Described['indexes']): Pick<Asked, 'index' | 'value'> | undefined {
  for (const [index, [value]] of Object.entries(indexes)) if (value !== undefined) return { index, value }
  return undefined
}

function pager({ asked, list }: Listed, base: string): Html | '' {
  const { page, hasMore, total, pageSize } = list
  if (page === 1 && !hasMore) return ''
  const to = (number: number) => `${base}sessions${queryOf(asked, { page: String(number) })}`
  const last = Math.min(MAX_PAGE, Math.ceil(total / pageSize))
  return html`<nav class="pager" aria-label="Pages">
${page > 1 ? html`<a class="button" rel="prev" href="${to(page - 1)}">Previous</a>` : ''}
<span>Page ${grouped(page)} of ${grouped(Math.max(page, last))}</span>
${hasMore ? html`<a class="button" rel="next" href="${to(page + 1)}">Next</a>` : ''}
</nav>`
}

function endLink({ asked, list }: Listed, base: string): Html {
  const query = asked === undefined ? '?all=true' : queryOf(asked)
  const which = asked === undefined ? 'every session' : list.total === 1 ? 'this session' : 'all of these'
  return html`<p class="actions"><a class="button strong" href="${base}end${query}">End ${which}…</a></p>`
}
