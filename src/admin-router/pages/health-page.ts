import type { Finding, Level } from '../../cli/doctor/finding.js'
import { counted, grouped } from '../../cli/output/times.js'
import { type Html, html } from '../../pages/html.js'
import type { Health } from '../health.js'
import type { PageBody } from '../visit.js'
import { capital } from './capital.js'
import { shown } from './text.js'

const WORDS: Readonly<Record<Level, string>> = {
  problem: 'Problem',
  warning: 'Warning',
  unknown: 'Unknown',
  note: 'Note',
  ok: 'Fine',
}

/** What doctor says about each server, and what this process has counted. */
export function healthPage({ pingMs, servers, counters }: Health): PageBody {
  const findings = servers.flatMap((server) => server.findings)
  const count = (level: Level) => findings.filter((one) => one.level === level).length
  const [problems, warnings] = [count('problem'), count('warning')]
  const verdict =
    problems + warnings === 0
      ? 'Nothing to change.'
      : `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}.`
  const body = html`<h1>Health</h1>
<p class="lead">Redis answers within ${pingMs.toFixed(1)} ms. ${verdict}</p>
${servers.map(({ address, findings: found }) => serverOf(address, found))}
<h2>Counted in this process</h2>
<dl class="panel counters">
${Object.entries(counters).map(([name, times]) => html`<div><dt>${name}</dt><dd class="number">${grouped(times)}</dd></div>`)}
</dl>`
  return { title: 'Health', at: 'health', body }
}

function serverOf(address: string, findings: readonly Finding[]): Html {
  return html`<h2>${address === '' ? 'Redis' : address}</h2>
<ul class="findings panel">
${findings.map(findingItem)}
</ul>`
}

function findingItem({ level, check, what, consequence, change = [] }: Finding): Html {
  return html`<li>
<span class="level ${level}">${WORDS[level]}</span>
<div><h3>${capital(check)}</h3>
<p>${shown(what)}.${consequence === undefined ? '' : ` ${shown(consequence)}`}</p>
${change.length === 0 ? '' : html`<ul class="change">${change.map((line) => html`<li><code>${shown(line)}</code></li>`)}</ul>`}</div>
</li>`
}
