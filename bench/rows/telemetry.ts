import { cell, type Goal, type Table } from '../results.js'
import { undisturbed } from '../statistics.js'
import { alternate, type Row, titleOf } from './row.js'

const SESSIONS = 1000
/** With the near cache, a read costs least, so that what telemetry costs shows most. */
const STORES = ['ours', 'ours, near cache'] as const

/** Measures what it costs that operations can be traced, while nobody listens and while somebody does. */
export const telemetryRow: Row = {
  names: ['telemetry'],
  title: 'CPU of get + touch with and without a listener for operations, 8 fields x 20 B',
  async run(bench) {
    const { cpuRounds, roundMs } = bench.options.scale
    await bench.admin.flushall()
    const workers = await bench.workers(STORES)
    for (const worker of workers) {
      await worker.call('seed', { content: '8 fields x 20 B', cookie: 'session cookie', from: 0, to: SESSIONS })
    }
    const table: Table = {
      title: '',
      columns: [
        { key: 'unheard', title: 'nobody listens, µs', digits: 2 },
        { key: 'asking', title: 'of it, to ask twice whether anybody does, µs', digits: 3 },
        { key: 'heard', title: 'one listener, µs', digits: 2 },
      ],
      lines: workers.map(({ contender }) => ({ name: contender, title: titleOf(contender), values: {} })),
    }
    for (const key of ['unheard', 'heard'] as const) {
      for (const worker of workers) await worker.call('listen', { isOn: key === 'heard' })
      const costs = await alternate(bench, workers, cpuRounds, async (worker) => {
        return worker.call('cost', { work: 'read', sessions: SESSIONS, concurrency: 50, ms: roundMs })
      })
      for (const line of table.lines) line.values[key] = undisturbed((costs.get(line.name) ?? []).map(({ cpu }) => cpu))
    }
    for (const worker of workers) await worker.call('listen', { isOn: false })
    for (const [i, line] of table.lines.entries()) {
      // A get and a touch.
      line.values.asking = (2 * ((await workers[i]?.call('ask', null)) ?? 0)) / 1000
    }
    await bench.end(workers)
    return [{ name: 'telemetry', title: this.title, how: HOW, tables: [table], goals: [goalOf(table)] }]
  },
}

const HOW =
  `As the rows above, 50 operations at a time. "One listener" subscribes an empty function to the end of operations ` +
  `(\`tracingChannel('connect-redis-hash:operation')\`). Asking is measured by itself, five million times in a loop.`

function goalOf(table: Table): Goal {
  const asking = cell(table, 'ours, near cache', 'asking')
  const whole = cell(table, 'ours, near cache', 'unheard')
  const measured = asking === undefined || whole === undefined ? null : (asking / whole) * 100
  const what = 'Telemetry that nobody listens to, part of a read from the near cache'
  return { what, aim: '<= 1 %', limit: 1, isUpperLimit: true, unit: ' %', measured }
}
