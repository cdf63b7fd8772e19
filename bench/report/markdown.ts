import { CHARTS } from '../plot/charts.js'
import type { Measurement, Results } from '../results.js'
import { goalCells } from './goals.js'
import { limitsOf } from './limits.js'
import { markdownTable, textCells } from './table.js'

/** Makes docs/benchmarks.md. */
export function toMarkdown(results: Results, charts: readonly string[]): string {
  const { machine, command, date, skipped } = results
  const packages = Object.entries(machine.packages).map(([name, version]) => `${name.replace(/\d+$/, '')} ${version}`)
  const parts = [
    '# Benchmarks',
    'Written by the program, from one run. To repeat it (it installs what it needs, and takes about half an hour):',
    `\`\`\`sh\n${command}\n\`\`\``,
    `${date.slice(0, 10)}; ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, ` +
      `${machine.server}. ${pinning(machine.pinned)} Load average before the run: ${machine.load.toFixed(2)}. ${packages.join(', ')}.`,
    'Contenders take turns within each round, and medians of the rounds are shown unless said; `±` is the distance between the quartiles of the rounds, ' +
      'as a share of the median. Ratios are against connect-redis 10 with node-redis unless said. Every contender has its defaults, a lifetime of half an ' +
      'hour, `NODE_ENV=production`, and a process of its own; this library is the packed package.',
    '## Goals',
    'A goal is never adjusted to what was measured.',
    markdownTable(goalCells(results)),
    ...missedOf(results),
    ...measurementsOf(results, charts),
  ]
  if (skipped.length > 0) {
    parts.push('## Not taken part', skipped.map(({ name, why }) => `- ${name}: ${why}`).join('\n'))
  }
  return `${parts.join('\n\n')}\n`
}

function missedOf(results: Results): string[] {
  const limits = limitsOf(results)
  return limits.length > 0
    ? ['What stands in the way of those that are missed, as profiles show it:', limits.join('\n')]
    : []
}

function pinning(isPinned: boolean): string {
  return isPinned
    ? 'What is measured has a core to itself; Redis and whatever makes the load share another one.'
    : 'Processes were not bound to cores.'
}

/** Makes the sections of the rows. Rows that are measured in the same way are explained once. */
function measurementsOf({ measurements }: Results, charts: readonly string[]): string[] {
  const explained = new Set<string>()
  return measurements.flatMap((measurement) => {
    const { title, how, tables, name } = measurement
    const parts = [`## ${title}`]
    if (!explained.has(how)) parts.push(how)
    explained.add(how)
    for (const table of tables) parts.push(table.title && `### ${table.title}`, markdownTable(textCells(table)))
    parts.push(...chartsOf(measurement, charts).map((chart) => picture(chart, name)))
    return parts.filter((part) => part !== '')
  })
}

function chartsOf({ name }: Measurement, charts: readonly string[]): string[] {
  return CHARTS.filter((chart) => chart.row === name && charts.includes(chart.name)).map((chart) => chart.name)
}

/** Shows a chart in the variant that fits GitHub's colour scheme. */
function picture(chart: string, alt: string): string {
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="images/${chart}-dark.svg">`,
    `  <img alt="${alt}" src="images/${chart}-light.svg">`,
    '</picture>',
  ].join('\n')
}
