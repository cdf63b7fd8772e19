import type { Bench } from '../bench.js'
import { BASELINE } from '../contenders/index.js'
import type { Content } from '../contents.js'
import { type Goal, type Measurement, ratio, ratioGoal, type Table } from '../results.js'
import { median, spread } from '../statistics.js'
import { alternate, namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 1000
const CONCURRENCY = [1, 50] as const

interface Case {
  name: string
  work: 'read' | 'write'
  content: Content
  title: string
  /** Maximum ratios to connect-redis 10, without and with the near cache. */
  goals: { limit: number; cached?: number }
}

const CASES: readonly Case[] = [
  {
    name: 'read-small',
    work: 'read',
    content: '8 fields x 20 B',
    title: 'CPU of get + touch, 8 fields x 20 B',
    goals: { limit: 0.6, cached: 0.12 },
  },
  {
    name: 'read-large',
    work: 'read',
    content: '8 fields x 2 kB',
    title: 'CPU of get + touch, 8 fields x 2 kB',
    goals: { limit: 1, cached: 0.3 },
  },
  {
    name: 'write-small',
    work: 'write',
    content: '8 fields x 20 B',
    title: 'CPU of a one-field write request (get + set), 8 fields x 20 B',
    goals: { limit: 0.9 },
  },
  {
    name: 'write-large',
    work: 'write',
    content: '8 fields x 2 kB',
    title: 'CPU of a one-field write request (get + set), 8 fields x 2 kB',
    goals: { limit: 0.7 },
  },
]

const HOW =
  `\`process.cpuUsage()\` of the application's process, all threads, in microseconds per operation: the median of alternating ` +
  `rounds. Each operation does what express-session does in a request, \`get\`, \`createSession\`, \`touch\` or \`set\`, without HTTP; ` +
  `${SESSIONS} sessions, lifetime half an hour, session cookie. Once one operation at a time, once 50 at a time; goals are judged at 50. ` +
  `"Redis" is the CPU of the Redis server per operation.`

export const cpuRows: readonly Row[] = CASES.map((one) => ({
  names: [one.name],
  title: one.title,
  run: async (bench) => [await measure(bench, one)],
}))

async function measure(bench: Bench, { name, work, content, title, goals }: Case): Promise<Measurement> {
  const { rounds, roundMs } = bench.options.scale
  await bench.admin.flushall()
  const isIn = (contender: string) =>
    contender !== 'ours, user index' && (work === 'read' || !/every touch/.test(contender))
  const workers = await bench.workers(namesOf((contender) => isIn(contender.name)))
  for (const worker of workers) {
    bench.progress.within(`sessions of ${worker.contender}`)
    await worker.call('seed', { content, cookie: 'session cookie', from: 0, to: SESSIONS })
  }
  const table: Table = {
    title: '',
    columns: [
      { key: 'cpu50', title: '50 at a time, µs', digits: 1 },
      { key: 'spread', title: '±', digits: 0 },
      { key: 'cpu1', title: '1 at a time, µs', digits: 1 },
      { key: 'redis', title: 'Redis, µs', digits: 1 },
    ],
    lines: workers.map(({ contender }) => ({ name: contender, title: titleOf(contender), values: {} })),
    ratio: { of: 'cpu50', to: BASELINE },
  }
  for (const concurrency of CONCURRENCY) {
    const costs = await alternate(bench, workers, rounds, async (worker, round) => {
      const ms = round < 0 ? roundMs * 3 : roundMs
      const before = await bench.redisCpu()
      const cost = await worker.call('cost', { work, sessions: SESSIONS, concurrency, ms })
      return { cpu: cost.cpu, redis: ((await bench.redisCpu()) - before) / cost.operations }
    })
    for (const line of table.lines) {
      const rounds = costs.get(line.name) ?? []
      const cpu = rounds.map((round) => round.cpu)
      line.values[`cpu${concurrency}`] = median(cpu)
      if (concurrency === 1) continue
      line.values.spread = `${(spread(cpu) * 100).toFixed(0)} %`
      const isRedis = namesOf(({ server }) => server === 'redis').includes(line.name)
      line.values.redis = isRedis ? median(rounds.map((round) => round.redis)) : '-'
    }
  }
  await bench.end(workers)
  return { name, title, how: HOW, tables: [table], goals: goalsOf(title, table, goals) }
}

function goalsOf(title: string, table: Table, { limit, cached }: Case['goals']): Goal[] {
  const plain = ratioGoal(title, `<= ${limit.toFixed(2)}x`, limit, ratio(table, 'cpu50', 'ours', BASELINE))
  if (cached === undefined) return [plain]
  const near = ratio(table, 'cpu50', 'ours, near cache', BASELINE)
  return [plain, ratioGoal(`${title}, near cache`, `<= ${cached.toFixed(2)}x`, cached, near, 'no near cache yet')]
}
