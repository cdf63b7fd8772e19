import { BASELINE } from '../contenders/index.js'
import { type Goal, ratio, ratioGoal, type Table } from '../results.js'
import { median, spread } from '../statistics.js'
import { alternate, namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 1000
const CONNECTIONS = 50

/** Measures how many requests per second one core serves. */
export const requestsRow: Row = {
  names: ['requests'],
  title: 'Express requests/s on one core, read-only',
  async run(bench) {
    const { rounds, floodSeconds } = bench.options.scale
    await bench.admin.flushall()
    const workers = await bench.workers(namesOf(isIn))
    const sites = new Map<string, number>()
    for (const worker of workers) {
      await worker.call('seed', { content: '8 fields x 20 B', cookie: 'session cookie', from: 0, to: SESSIONS })
      sites.set(worker.contender, await worker.call('serve', null))
    }
    const load = bench.load()
    const floods = await alternate(bench, workers, Math.min(rounds, 5), async (worker, round) => {
      const port = sites.get(worker.contender) as number
      const seconds = round < 0 ? Math.min(2, floodSeconds) : floodSeconds
      const before = await worker.call('cpu', null)
      const flood = await load.call('flood', { port, sessions: SESSIONS, connections: CONNECTIONS, seconds })
      return { ...flood, cpu: ((await worker.call('cpu', null)) - before) / flood.requests }
    })
    await bench.end([load, ...workers])
    const table: Table = {
      title: '',
      columns: [
        { key: 'perSecond', title: 'requests/s', digits: 0 },
        { key: 'spread', title: '±', digits: 0 },
        { key: 'cpu', title: 'CPU of a request, µs', digits: 1 },
      ],
      lines: workers.map(({ contender }) => {
        const results = floods.get(contender) ?? []
        const rates = results.map(({ perSecond }) => perSecond)
        const values = {
          perSecond: median(rates),
          spread: `${(spread(rates) * 100).toFixed(0)} %`,
          cpu: median(results.map(({ cpu }) => cpu)),
        }
        return { name: contender, title: titleOf(contender), values }
      }),
      ratio: { of: 'perSecond', to: BASELINE },
    }
    const how = howOf(floodSeconds)
    return [{ name: 'requests', title: this.title, how, tables: [table], goals: goalsOf(this.title, table) }]
  },
}

function isIn({ name, isRaw }: { name: string; isRaw?: boolean }): boolean {
  return !isRaw && !/every|index/.test(name)
}

function howOf(floodSeconds: number): string {
  return (
    `Express 5 with \`session()\` and one route, one process, which has a core to itself; autocannon with ${CONNECTIONS} connections and ` +
    `${SESSIONS} visitors runs on the other one, next to Redis. ${floodSeconds} seconds per round. 8 fields x 20 B.`
  )
}

function goalsOf(title: string, table: Table): Goal[] {
  const near = ratio(table, 'perSecond', 'ours, near cache', 'MemoryStore')
  return [
    ratioGoal(title, '>= 1.15x', 1.15, ratio(table, 'perSecond', 'ours', BASELINE)),
    ratioGoal(`${title}, near cache`, '>= 1x MemoryStore', 1, near, 'no near cache yet'),
  ]
}
