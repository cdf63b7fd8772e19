import type { ActivityPoint, ActivityReport, ActivityStep } from '../../admin/activity.js'
import { grouped } from '../../cli/output/times.js'
import { type Html, html } from '../../pages/html.js'
import type { PageBody } from '../visit.js'
import { chart } from './chart.js'
import { utc, utcTime } from './text.js'

interface Range {
  from: number
  to: number
  step: ActivityStep
}

const STEPS: readonly (readonly [ActivityStep, string])[] = [
  ['minute', 'Last hour'],
  ['hour', 'Last day'],
  ['day', 'Last 30 days'],
]
/** Rows of the table: of more points, the last ones. */
const MAX_ROWS = 200

/** How many users and sessions were active over time. */
export function activityPage(range: Range, report: ActivityReport | undefined): PageBody {
  const body = html`<h1>Activity</h1>
${report === undefined ? html`<p class="lead">Nobody is counted. The store does so with <code>new RedisStore({ activity: true })</code>.</p>` : figures(range, report)}`
  return { title: 'Activity', at: 'activity', body }
}

function figures(range: Range, { points, average }: ActivityReport): Html {
  const { step } = range
  const most = (name: 'users' | 'sessions') => Math.max(0, ...points.map((point) => point[name]))
  return html`<p class="lead">Different users and sessions in each ${step}, ${utcTime(new Date(range.from))} to ${utcTime(new Date(range.to))}, within about one percent.</p>
<nav class="choices" aria-label="Range">
${STEPS.map(([name, title]) => html`<a class="button" href="?step=${name}"${name === step ? html` aria-current="true"` : ''}>${title}</a>`)}
</nav>
${rangeForm(range)}
<dl class="tiles">
<div class="panel"><dt>Sessions, on average</dt><dd>${grouped(average.sessions)}</dd></div>
<div class="panel"><dt>Sessions, at most</dt><dd>${grouped(most('sessions'))}</dd></div>
<div class="panel"><dt>Users, on average</dt><dd>${grouped(average.users)}</dd></div>
<div class="panel"><dt>Users, at most</dt><dd>${grouped(most('users'))}</dd></div>
</dl>
${chart('Active sessions', 'sessions', points, step)}
${chart('Active users', 'users', points, step)}
<details class="panel">
<summary>The figures</summary>
${table(points)}
</details>`
}

function rangeForm({ from, to, step }: Range): Html {
  const field = (at: number) => new Date(at).toISOString().slice(0, 16)
  return html`<form class="search" method="get">
<label>From (UTC) <input type="datetime-local" name="from" value="${field(from)}"></label>
<label>To (UTC) <input type="datetime-local" name="to" value="${field(to)}"></label>
<label>Each <select name="step">
${STEPS.map(([name]) => html`<option${name === step ? html` selected` : ''}>${name}</option>`)}
</select></label>
<button>Show</button>
</form>`
}

function table(points: readonly ActivityPoint[]): Html {
  const rows = points.slice(-MAX_ROWS).reverse()
  return html`<table class="figures">
<caption>${points.length > rows.length ? `The last ${MAX_ROWS}, newest first` : 'Newest first'}</caption>
<thead><tr><th scope="col">Time (UTC)</th><th scope="col" class="number">Users</th><th scope="col" class="number">Sessions</th></tr></thead>
<tbody>
${rows.map(({ at, users, sessions }) => html`<tr><th scope="row">${utc(at).replace(' UTC', '')}</th><td class="number">${grouped(users)}</td><td class="number">${grouped(sessions)}</td></tr>`)}
</tbody>
</table>`
}
