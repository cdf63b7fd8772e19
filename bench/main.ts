import { readFileSync, writeFileSync } from 'node:fs'
import { Bench } from './bench.js'
import { CONTENDERS } from './contenders/index.js'
import { describeMachine, loadBefore } from './machine.js'
import { type Options, parseOptions, USAGE } from './options.js'
import { plot } from './plot/plot.js'
import { findCores } from './processes/cores.js'
import { Progress } from './progress.js'
import { toMarkdown } from './report/markdown.js'
import { toText } from './report/text.js'
import type { Measurement, Results } from './results.js'
import { ROWS } from './rows/index.js'

const DOCS = new URL('../../../docs/', import.meta.url)

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args)
  if (options === 'help') {
    process.stdout.write(USAGE)
    return
  }
  if (options.write && options.from === undefined) assertQuiet(loadBefore())
  const results =
    options.from === undefined
      ? await measure(options, args)
      : (JSON.parse(readFileSync(options.from, 'utf8')) as Results)
  process.stdout.write(toText(results))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`)
  const charts = options.plot ? await plot(results, new URL('images/', DOCS)) : []
  if (options.write) assertQuiet(results.machine.load)
  if (options.write) writeFileSync(new URL('benchmarks.md', DOCS), toMarkdown(results, charts))
}

/** Load average above which docs/benchmarks.md is not written: something else was running. */
const MAX_LOAD = 0.3

function assertQuiet(load: number): void {
  if (load <= MAX_LOAD) return
  const why = `the load average was ${load.toFixed(2)} before the run, and may be ${MAX_LOAD} at most`
  throw new Error(`docs/benchmarks.md is written from runs on a quiet machine only: ${why}. Leave out --write`)
}

/** The command that repeats this measurement. The file for its JSON is left out. */
function commandOf(args: readonly string[]): string {
  const kept = args.filter((arg, i) => !arg.startsWith('--json') && args[i - 1] !== '--json')
  return ['npm run bench', ...(kept.length > 0 ? ['--', ...kept] : [])].join(' ')
}

async function measure(options: Options, args: readonly string[]): Promise<Results> {
  const rows = ROWS.filter(({ names }) => names.some((name) => options.rows.has(name)))
  const progress = new Progress(rows.length)
  const cores = findCores()
  const bench = new Bench(options, progress, cores)
  // Child processes end with this one. Redis runs detached and is ended by a watcher.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void bench.stop().finally(() => process.exit(130))
    })
  }
  try {
    await bench.start()
    const packages = CONTENDERS.flatMap((contender) => contender.packages)
    const machine = describeMachine(cores, await bench.serverName(), ['express', ...packages])
    if (machine.load > machine.cores / 2) progress.say(`warning: the machine is busy (load ${machine.load.toFixed(1)})`)
    if (!machine.pinned) progress.say('warning: processes cannot be bound to cores here (taskset, two cores)')
    const measurements: Measurement[] = []
    for (const row of rows) {
      progress.step(row.title)
      measurements.push(...(await row.run(bench, options.rows)))
    }
    progress.end()
    const date = new Date().toISOString()
    return { command: commandOf(args), date, isQuick: options.isQuick, machine, measurements, skipped: bench.skipped }
  } finally {
    await bench.stop()
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error)
  process.exitCode = 1
})
