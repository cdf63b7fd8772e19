import { span } from '../../cli/output/times.js'
import { type Html, html } from '../../pages/html.js'
import { queryOf } from '../entry-asked.js'
import type { FeedEntry } from '../feed.js'
import type { Limits } from '../limits.js'
import type { ResolvedAdminRouter } from '../options.js'
import type { PageBody, Visit } from '../visit.js'
import { frameOf } from './frame.js'
import { indexLinks, shown, utcTime } from './text.js'

/** What has happened to sessions lately. It is the page as it was when it was sent. */
export function eventsPage(
  { base }: Visit,
  { entries, since }: { entries: readonly FeedEntry[]; since: Date },
): PageBody {
  const body = html`<h1>Live</h1>
<p class="lead">What happens to sessions, in every process. This page was made at ${clock(new Date())} UTC, and shows what has been seen since ${utcTime(since)}.</p>
<p class="choices"><a class="button" href="${base}events">Look again</a> <a class="button" href="${base}events?live">Follow it</a></p>
${entries.length === 0 ? html`<p class="empty">Nothing yet.</p>` : html`<ol class="feed panel">${entries.map((entry) => entryItem(entry, base))}</ol>`}`
  return { title: 'Live', at: 'events', body }
}

/**
 * The beginning and the end of a page that goes on growing. The newest entry is on top, by its style sheet: it comes last
 * in the page, because a page grows at its end.
 */
export function livePage(router: ResolvedAdminRouter, visit: Visit, { followMs }: Limits): [string, string] {
  const [head, tail] = frameOf(router, visit, { title: 'Live', at: 'events' })
  const { base } = visit
  const begin = html`<h1>Live</h1>
<p class="lead">What happens to sessions, in every process, as it happens: since ${clock(new Date())} UTC, for ${span(followMs)}.</p>
<p class="choices"><a class="button" href="${base}events">Stop</a></p>
<ol class="feed panel" role="log" aria-label="What happens">
`.text
  const end =
    html`</ol><p class="notice" role="status">The time is over. <a href="${base}events?live">Follow it again</a></p>`
      .text
  return [`${head}${begin}`, `${end}${tail}`]
}

export function entryItem(entry: FeedEntry, base: string): Html {
  const { at, event } = entry
  const time = html`<time datetime="${at.toISOString()}">${clock(at)}</time>`
  if (event === 'missed') return html`<li>${time} <span class="soft">Some changes may be missing here.</span></li>`
  if (event === 'warning') return html`<li>${time} <strong>${shown(entry.text)}</strong></li>`
  const { handle, reason, indexes = {} } = entry
  const [index] = Object.entries(indexes)
  const query = index?.[1][0] === undefined ? '' : queryOf({ index: index[0], value: index[1][0] })
  const name =
    event === 'ended'
      ? html`<span class="handle">${handle.slice(0, 8)}</span>`
      : html`<a class="handle" href="${base}sessions/${handle}${query}">${handle.slice(0, 8)}</a>`
  return html`<li>${time} <span class="what ${event}">${event}</span> ${name} ${reason === undefined ? '' : html`<span class="soft">${reason}</span>`} ${
    Object.keys(indexes).length === 0 ? '' : indexLinks(indexes, base)
  }</li>`
}

const clock = (at: Date) => at.toISOString().slice(11, 19)
