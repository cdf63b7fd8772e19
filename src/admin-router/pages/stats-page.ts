import type { Ages, SessionStats } from '../../admin/stats.js'
import { bytes, grouped } from '../../cli/output/times.js'
import { type Html, html } from '../../pages/html.js'
import type { PageBody } from '../visit.js'
import { bar } from './bar.js'

const SPANS: readonly (readonly [keyof Ages, string])[] = [
  ['minute', 'less than a minute'],
  ['hour', 'less than an hour'],
  ['day', 'less than a day'],
  ['week', 'less than a week'],
  ['older', 'a week or more'],
]

/** What is in Redis: how many sessions, their memory, their ages, and when they end. */
export function statsPage(stats: SessionStats, isWhole: boolean): PageBody {
  const { sessions, bytes: size, indexes, age, idle, ends } = stats
  const mean = sessions === 0 ? '–' : bytes(Math.round(size / sessions))
  const body = html`<h1>Redis</h1>
<p class="lead">${isWhole ? 'Every session was looked at.' : 'The time was too short to look at everything: there is more than this.'}</p>
<dl class="tiles">
<div class="panel"><dt>Sessions</dt><dd>${isWhole ? '' : 'over '}${grouped(sessions)}</dd></div>
<div class="panel"><dt>Memory</dt><dd>${bytes(size)}</dd></div>
<div class="panel"><dt>Mean, with indexes</dt><dd>${mean}</dd></div>
</dl>
<div class="columns">
${distribution('They end in', { ...ends }, sessions, ends.never)}
${distribution('They were last seen', { ...idle }, sessions)}
${distribution('They began', { ...age }, sessions)}
</div>
<h2>Indexes</h2>
${indexTable(indexes)}`
  return { title: 'Redis', at: 'stats', body }
}

function distribution(title: string, counts: Ages, whole: number, never = 0): Html {
  const rows = SPANS.map(([name, span]) => [span, counts[name]] as const)
  const all = never === 0 ? rows : [...rows, ['never', never] as const]
  return html`<section class="panel">
<h2>${title}</h2>
<dl class="bars">
${all.map(([span, count]) => html`<div><dt>${span}</dt><dd>${bar(count, whole)}<span class="number">${grouped(count)}</span></dd></div>`)}
</dl>
</section>`
}

function indexTable(indexes: SessionStats['indexes']): Html {
  const rows = Object.entries(indexes)
  if (rows.length === 0) return html`<p class="empty">This store has none.</p>`
  return html`<table class="figures">
<caption class="hidden">Indexes</caption>
<thead><tr><th scope="col">Index</th><th scope="col" class="number">Sessions</th><th scope="col" class="number">Values</th></tr></thead>
<tbody>
${rows.map(([name, one]) => html`<tr><th scope="row">${name}</th><td class="number">${grouped(one.sessions)}</td><td class="number">${grouped(one.values)}</td></tr>`)}
</tbody>
</table>`
}
