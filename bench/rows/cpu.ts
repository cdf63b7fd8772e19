import type { Bench, Worker } from '../bench.js'
import { BASELINE } from '../contenders/index.js'
import type { Content } from '../contents.js'
import type { Work } from '../processes/operations.js'
import { type Goal, type Measurement, ratio, ratioGoal, type Table } from '../results.js'
import { spread, undisturbed } from '../statistics.js'
import { alternate, namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 1000
/** Operations at a time, by which goals are judged. */
const JUDGED = 50
const CONCURRENCY = [1, JUDGED] as const
/** Maximum ratio of a read from the near cache to connect-redis 10. */
const CACHED_READ = 0.15
/** Maximum ratio of a save to the SET of connect-redis 10, in CPU of Redis. */
const SAVE = 1.3
/** What sessions are saved with. Scripts also count the commands in them, which therefore are not here. */
const SAVE_COMMANDS = ['evalsha', 'set', 'setex']

interface Case {
  name: string
  work: Exclude<Work, 'save'>
  content: Content
  title: string
  /** Maximum ratio to connect-redis 10. With the near cache, reads have another one. */
  limit: number
}

const CASES: readonly Case[] = [
  {
    name: 'read-small',
    work: 'read',
    content: '8 fields x 20 B',
    title: 'CPU of get + touch, 8 fields x 20 B',
    limit: 0.6,
  },
  {
    name: 'read-large',
    work: 'read',
    content: '8 fields x 2 kB',
    title: 'CPU of get + touch, 8 fields x 2 kB',
    limit: 1,
  },
  {
    name: 'write-small',
    work: 'write',
    content: '8 fields x 20 B',
    title: 'CPU of a one-field write request (get + set), 8 fields x 20 B',
    limit: 0.55,
  },
  {
    name: 'write-large',
    work: 'write',
    content: '8 fields x 2 kB',
    title: 'CPU of a one-field write request (get + set), 8 fields x 2 kB',
    limit: 0.6,
  },
]

const HOW =
  `\`process.cpuUsage()\` of the application's process, all threads, in microseconds per operation: the lower quartile of alternating ` +
  `rounds, as others on the machine can only add to it. Each operation does what express-session does in a request, \`get\`, \`createSession\`, \`touch\` or \`set\`, without HTTP; ` +
  `${SESSIONS} sessions, lifetime half an hour, session cookie. Once one operation at a time, once 50 at a time; goals are judged at 50. ` +
  `"Redis" is the CPU of the Redis server per operation, and "a save" that of saving sessions that are loaded already: reading the command, running it, ` +
  `and sending the reply. "The command alone" leaves out the first and the last (\`INFO commandstats\`).`

const SAVE_COLUMNS = [
  { key: 'save', title: 'a save, µs', digits: 1 },
  { key: 'command', title: 'the command alone, µs', digits: 1 },
]

export const cpuRows: readonly Row[] = CASES.map((one) => ({
  names: [one.name],
  title: one.title,
  run: async (bench) => [await measure(bench, one)],
}))

async function measure(bench: Bench, { name, work, content, title, limit }: Case): Promise<Measurement> {
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
      ...(work === 'write' ? SAVE_COLUMNS : []),
    ],
    lines: workers.map(({ contender }) => ({ name: contender, title: titleOf(contender), values: {} })),
    ratio: { of: 'cpu50', to: BASELINE },
  }
  for (const concurrency of CONCURRENCY) {
    const costs = await costsOf(bench, workers, work, concurrency)
    for (const line of table.lines) {
      const rounds = costs.get(line.name) ?? []
      const cpu = rounds.map((round) => round.cpu)
      line.values[`cpu${concurrency}`] = undisturbed(cpu)
      if (concurrency !== JUDGED) continue
      line.values.spread = `${(spread(cpu) * 100).toFixed(0)} %`
      line.values.redis = isOnRedis(line.name) ? undisturbed(rounds.map((round) => round.redis)) : '-'
    }
  }
  if (work === 'write') await measureSaves(bench, workers, table)
  await bench.end(workers)
  return { name, title, how: HOW, tables: [table], goals: goalsOf(title, work, table, limit) }
}

async function measureSaves(bench: Bench, workers: readonly Worker[], table: Table): Promise<void> {
  const savers = workers.filter(({ contender }) => isOnRedis(contender))
  const costs = await costsOf(bench, savers, 'save', JUDGED)
  for (const line of table.lines) {
    const rounds = costs.get(line.name)
    if (rounds === undefined) continue
    line.values.save = undisturbed(rounds.map((round) => round.redis))
    const commands = rounds.map((round) => round.command).filter((us) => us !== undefined)
    if (commands.length > 0) line.values.command = undisturbed(commands)
  }
}

function isOnRedis(contender: string): boolean {
  return namesOf(({ server }) => server === 'redis').includes(contender)
}

/** Resolves the microseconds of each round: of the application per operation, of Redis per operation, and of its command. */
function costsOf(bench: Bench, workers: readonly Worker[], work: Work, concurrency: number) {
  const { cpuRounds, roundMs } = bench.options.scale
  return alternate(bench, workers, cpuRounds, async (worker, round) => {
    const ms = round < 0 ? roundMs * 3 : roundMs
    await bench.admin.config('RESETSTAT')
    const before = await bench.redisCpu()
    const cost = await worker.call('cost', { work, sessions: SESSIONS, concurrency, ms })
    const redis = ((await bench.redisCpu()) - before) / cost.operations
    return { cpu: cost.cpu, redis, command: await saveCommandUs(bench) }
  })
}

/** CPU of Redis per command that has written sessions since the last reset; undefined if there was none. */
async function saveCommandUs(bench: Bench): Promise<number | undefined> {
  const stats = await bench.admin.info('commandstats')
  const counts = SAVE_COMMANDS.flatMap((name) => {
    const [, calls, usec] = new RegExp(`^cmdstat_${name}:calls=(\\d+),usec=(\\d+)`, 'm').exec(stats) ?? []
    return calls === undefined ? [] : [{ calls: Number(calls), usec: Number(usec) }]
  })
  const sum = (key: 'calls' | 'usec') => counts.reduce((total, one) => total + one[key], 0)
  return counts.length === 0 ? undefined : sum('usec') / sum('calls')
}

function goalsOf(title: string, work: Case['work'], table: Table, limit: number): Goal[] {
  const [ours, near] = ['ours', 'ours, near cache']
  const goals = [
    ratioGoal(title, `<= ${limit.toFixed(2)}x`, limit, ratio(table, 'cpu50', ours, BASELINE)),
    ratioGoal(`${title}, against connect-redis 8`, '<= 1x', 1, ratio(table, 'cpu50', ours, 'connect-redis 8')),
  ]
  if (work === 'write') {
    const [save, alone] = [ratio(table, 'save', ours, BASELINE), ratio(table, 'command', ours, BASELINE)]
    return [
      ...goals,
      ratioGoal(`${title}, near cache against none`, '<= 1x', 1, ratio(table, 'cpu50', near, ours)),
      ratioGoal(`${title}, Redis for a save`, `<= ${SAVE}x`, SAVE, save),
      ratioGoal(`${title}, the command alone in Redis`, `<= ${SAVE}x`, SAVE, alone),
    ]
  }
  const [cached, floor] = [ratio(table, 'cpu50', near, BASELINE), ratio(table, 'cpu50', near, 'MemoryStore')]
  return [
    ...goals,
    ratioGoal(`${title}, near cache`, `<= ${CACHED_READ}x`, CACHED_READ, cached),
    ratioGoal(`${title}, near cache against MemoryStore`, '<= 1x', 1, floor),
  ]
}
