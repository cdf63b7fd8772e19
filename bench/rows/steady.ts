import type { Bench, Worker } from '../bench.js'
import { cell, type Goal, ratio, ratioGoal, type Table } from '../results.js'
import { median, quantile, spread } from '../statistics.js'
import { alternate, namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 200
const PER_SECOND = 200
const WARM_UP_PER_SECOND = 1000
const WARM_UP_SECONDS = 5
/** Seconds of traffic after a process has stood still, which do not count. */
const RESUME_SECONDS = 1
const DISTANCE_MS = 1
const PEERS = ['connect-redis 10', 'connect-redis 8', 'connect-valkey']

/** Measures how long the slowest requests of steady traffic take. */
export const steadyRow: Row = {
  names: ['steady'],
  title: `p99 under ${PER_SECOND} requests/s, Redis ${DISTANCE_MS} ms away each way`,
  async run(bench) {
    const { rounds, steadySeconds } = bench.options.scale
    await bench.admin.flushall()
    const proxy = bench.proxy()
    const workers = await bench.workers(namesOf(isIn), await bench.portsBehind(proxy))
    const sites = new Map<string, number>()
    for (const worker of workers) {
      await worker.call('seed', { content: '8 fields x 20 B', cookie: 'session cookie', from: 0, to: SESSIONS })
      sites.set(worker.contender, await worker.call('serve', { isBare: false }))
    }
    const load = bench.load()
    const visit = ({ contender }: Worker, perSecond: number, seconds: number) =>
      load.call('pace', { port: sites.get(contender) as number, sessions: SESSIONS, perSecond, seconds })
    // An application that has run for a while: at this pace, V8 would compile the last functions after minutes only.
    for (const worker of workers) await visit(worker, WARM_UP_PER_SECOND, Math.min(steadySeconds, WARM_UP_SECONDS))
    await proxy.call('delay', DISTANCE_MS)
    // All applications share one core. What the others do when nobody visits them would be a part of the slowest requests.
    for (const worker of workers) worker.halt()
    const times = await alternate(bench, workers, Math.min(rounds, 5), async (worker) => {
      worker.resume()
      // An application that goes on after a pause has timers that are due, connections to open, and nothing in the caches.
      await visit(worker, PER_SECOND, RESUME_SECONDS)
      const before = await bench.redisCpu()
      const visits = await visit(worker, PER_SECOND, steadySeconds)
      const redis = (await redisUs(bench, before)) / (PER_SECOND * steadySeconds)
      worker.halt()
      return { ...visits, redis }
    })
    await bench.end([load, ...workers, proxy])
    const table: Table = {
      title: '',
      columns: [
        { key: 'read', title: 'p99 of reads, ms', digits: 1 },
        { key: 'readSpread', title: '±', digits: 0 },
        { key: 'write', title: 'p99 of writes, ms', digits: 1 },
        { key: 'writeSpread', title: '±', digits: 0 },
        { key: 'readMedian', title: 'p50 of reads', digits: 1 },
        { key: 'writeMedian', title: 'p50 of writes', digits: 1 },
        { key: 'redis', title: 'Redis, µs', digits: 0 },
      ],
      lines: [...times].map(([name, rounds]) => {
        const of = (kind: 'reads' | 'writes', q: number) => rounds.map((round) => quantile(round[kind], q))
        const over = (kind: 'reads' | 'writes', q: number) => median(of(kind, q))
        const spreadOf = (kind: 'reads' | 'writes') => `${(spread(of(kind, 0.99)) * 100).toFixed(0)} %`
        const values = {
          read: over('reads', 0.99),
          readSpread: spreadOf('reads'),
          write: over('writes', 0.99),
          writeSpread: spreadOf('writes'),
          readMedian: over('reads', 0.5),
          writeMedian: over('writes', 0.5),
          redis: name === 'MemoryStore' ? '-' : median(rounds.map((round) => round.redis)),
        }
        return { name, title: titleOf(name), values }
      }),
      ratio: { of: 'read', to: 'connect-redis 10' },
    }
    return [{ name: 'steady', title: this.title, how: HOW, tables: [table], goals: goalsOf(this.title, table) }]
  },
}

function isIn({ name, isRaw }: { name: string; isRaw?: boolean }): boolean {
  return !isRaw && (['ours', 'ours, near cache', 'MemoryStore'].includes(name) || PEERS.includes(name))
}

async function redisUs(bench: Bench, before: number): Promise<number> {
  return (await bench.redisCpu()) - before
}

const HOW =
  `Express 5 with \`session()\`; requests leave on time whether or not those before have been answered, every other one changes a property. The ` +
  `proxy is that of the row above. Applications have had ${WARM_UP_PER_SECOND} requests/s for some seconds before, and stand still (SIGSTOP) while others are ` +
  `measured; the first second after that does not count. Figures are medians of alternating rounds. "Redis" is the CPU of the Redis server per request, which at this pace cannot ` +
  `handle several commands together.`

function goalsOf(title: string, table: Table): Goal[] {
  const best = (key: string) => Math.min(...PEERS.map((name) => cell(table, name, key) ?? Number.POSITIVE_INFINITY))
  const against = (key: string) => {
    const ours = cell(table, 'ours', key)
    return ours === undefined || best(key) === Number.POSITIVE_INFINITY ? null : ours / best(key)
  }
  const near = ratio(table, 'read', 'ours, near cache', 'MemoryStore')
  return [
    ratioGoal(`${title}: reads`, '<= 1x of the best peer', 1, against('read')),
    // Both load a session and save it: two round trips.
    ratioGoal(`${title}: writes`, '<= 1.05x of the best peer', 1.05, against('write')),
    ratioGoal(`${title}: reads, near cache`, '<= 1.2x of MemoryStore', 1.2, near, 'no near cache yet'),
  ]
}
