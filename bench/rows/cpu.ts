import type { Bench } from '../bench.js'
import { BASELINE } from '../contenders/index.js'
import type { Content } from '../contents.js'
import { type Goal, type Measurement, ratio, ratioGoal, type Table } from '../results.js'
import { spread, undisturbed } from '../statistics.js'
import { alternate, namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 1000
const CONCURRENCY = [1, 50] as const
/** Maximum ratio of a read from the near cache to connect-redis 10. */
const CACHED_READ = 0.15
/** Maximum ratio of the command that writes to the SET of connect-redis 10, as Redis counts its CPU. */
const WRITE_COMMAND = 1.3
/** What sessions are written with. Scripts also count the commands in them, which therefore are not here. */
const WRITE_COMMANDS = ['evalsha', 'set', 'setex']

interface Case {
  name: string
  work: 'read' | 'write'
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
  `"Redis" is the CPU of the Redis server per operation, and "its write" that of the command that saves alone (\`INFO commandstats\`, which leaves out ` +
  `reading the command and sending the reply).`

export const cpuRows: readonly Row[] = CASES.map((one) => ({
  names: [one.name],
  title: one.title,
  run: async (bench) => [await measure(bench, one)],
}))

async function measure(bench: Bench, { name, work, content, title, limit }: Case): Promise<Measurement> {
  const { cpuRounds, roundMs } = bench.options.scale
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
      ...(work === 'write' ? [{ key: 'command', title: 'its write, µs', digits: 1 }] : []),
    ],
    lines: workers.map(({ contender }) => ({ name: contender, title: titleOf(contender), values: {} })),
    ratio: { of: 'cpu50', to: BASELINE },
  }
  for (const concurrency of CONCURRENCY) {
    const costs = await alternate(bench, workers, cpuRounds, async (worker, round) => {
      const ms = round < 0 ? roundMs * 3 : roundMs
      await bench.admin.config('RESETSTAT')
      const before = await bench.redisCpu()
      const cost = await worker.call('cost', { work, sessions: SESSIONS, concurrency, ms })
      const redis = ((await bench.redisCpu()) - before) / cost.operations
      return { cpu: cost.cpu, redis, command: await writeCommandUs(bench) }
    })
    for (const line of table.lines) {
      const rounds = costs.get(line.name) ?? []
      const cpu = rounds.map((round) => round.cpu)
      line.values[`cpu${concurrency}`] = undisturbed(cpu)
      if (concurrency === 1) continue
      line.values.spread = `${(spread(cpu) * 100).toFixed(0)} %`
      const isRedis = namesOf(({ server }) => server === 'redis').includes(line.name)
      line.values.redis = isRedis ? undisturbed(rounds.map((round) => round.redis)) : '-'
      const commands = rounds.map((round) => round.command).filter((us) => us !== undefined)
      if (isRedis && commands.length > 0) line.values.command = undisturbed(commands)
    }
  }
  await bench.end(workers)
  return { name, title, how: HOW, tables: [table], goals: goalsOf(title, work, table, limit) }
}

/** CPU of Redis per command that has written sessions since the last reset; undefined if there was none. */
async function writeCommandUs(bench: Bench): Promise<number | undefined> {
  const stats = await bench.admin.info('commandstats')
  const counts = WRITE_COMMANDS.flatMap((name) => {
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
    const alone = ratio(table, 'command', ours, BASELINE)
    return [
      ...goals,
      ratioGoal(`${title}, near cache against none`, '<= 1x', 1, ratio(table, 'cpu50', near, ours)),
      ratioGoal(`${title}, the command alone in Redis`, `<= ${WRITE_COMMAND}x`, WRITE_COMMAND, alone),
    ]
  }
  const [cached, floor] = [ratio(table, 'cpu50', near, BASELINE), ratio(table, 'cpu50', near, 'MemoryStore')]
  return [
    ...goals,
    ratioGoal(`${title}, near cache`, `<= ${CACHED_READ}x`, CACHED_READ, cached),
    ratioGoal(`${title}, near cache against MemoryStore`, '<= 1x', 1, floor),
  ]
}
