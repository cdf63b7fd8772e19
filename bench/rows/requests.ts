import { BASELINE } from '../contenders/index.js'
import { cell, type Goal, ratioGoal, type Table } from '../results.js'
import { median, spread } from '../statistics.js'
import { alternate, namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 1000
const CONNECTIONS = 50
/** An Express application without sessions: what no store can do better than. */
const BARE = 'no session'

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
      sites.set(worker.contender, await worker.call('serve', { isBare: false }))
    }
    const bare = await bench.worker('MemoryStore', await bench.ports(), 0)
    if (bare !== undefined) {
      workers.push(Object.assign(bare, { contender: BARE }))
      sites.set(BARE, await bare.call('serve', { isBare: true }))
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
    const inMemory = floods.get('MemoryStore') ?? []
    const table: Table = {
      title: '',
      columns: [
        { key: 'perSecond', title: 'requests/s', digits: 0 },
        { key: 'spread', title: '±', digits: 0 },
        { key: 'ofMemory', title: 'of MemoryStore', digits: 2 },
        { key: 'cpu', title: 'CPU of a request, µs', digits: 1 },
        { key: 'session', title: 'of it, for the session, µs', digits: 1 },
      ],
      lines: workers.map(({ contender }) => {
        const results = floods.get(contender) ?? []
        const rates = results.map(({ perSecond }) => perSecond)
        const cpu = median(results.map((flood) => flood.cpu))
        const values = {
          perSecond: median(rates),
          spread: `${(spread(rates) * 100).toFixed(0)} %`,
          // Round by round, because the machine is not equally fast in all of them.
          ofMemory: median(rates.map((rate, round) => rate / (inMemory[round]?.perSecond ?? Number.NaN))),
          cpu,
          session: cpu - median((floods.get(BARE) ?? []).map((flood) => flood.cpu)),
        }
        return { name: contender, title: contender === BARE ? 'Express without sessions' : titleOf(contender), values }
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
    `${SESSIONS} visitors runs on the other one, next to Redis. ${floodSeconds} seconds per round. 8 fields x 20 B. "Of MemoryStore" is the median of the ` +
    `rounds' ratios: MemoryStore asks nobody, so that a store has nothing to win beyond it, and "Express without sessions" is the floor of both.`
  )
}

function goalsOf(title: string, table: Table): Goal[] {
  return ['ours', 'ours, near cache'].map((name) => {
    const what = name === 'ours' ? title : `${title}, near cache`
    return ratioGoal(what, '>= 0.97x of MemoryStore', 0.97, cell(table, name, 'ofMemory') ?? null, 'not in this run')
  })
}
