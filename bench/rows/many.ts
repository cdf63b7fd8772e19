import type { Bench, Worker } from '../bench.js'
import { type Goal, type Measurement, ratioGoal, type Table } from '../results.js'
import { median, quantile } from '../statistics.js'
import { EACH, fill, templateOf } from './fill.js'
import type { Row } from './row.js'

const OURS = 'ours, user index'
const THEIRS = 'connect-redis 10'
const COMPARED: readonly [number, number] = [10_000, 1_000_000]
const REVOKE_TITLE = `destroyBy, a user with ${EACH} sessions`
const MILLION_TITLE = '1,000,000 live sessions'

/** Compares few and many sessions in the same run. Each number of sessions has its own database. */
export const manyRow: Row = {
  names: ['revoke', 'million'],
  title: 'Few and many sessions',
  async run(bench, wanted) {
    await bench.admin.flushall()
    const { sizes } = bench.options.scale
    const ports = bench.redisPorts
    const stages: Stage[] = []
    for (const [database, size] of sizes.entries()) {
      const worker = (await bench.worker(OURS, ports, database)) as Worker
      await fillDatabase(bench, database, size, worker)
      stages.push({ size, worker })
    }
    const measurements: Measurement[] = []
    if (wanted.has('million')) measurements.push(await measureMillion(bench, stages))
    if (wanted.has('revoke')) {
      const own = await revokeTimes(bench, stages, bench.options.scale.revokes)
      await bench.end(stages.map(({ worker }) => worker))
      measurements.push(revokeMeasurement(own, await theirRevokeTimes(bench)))
    }
    await bench.end(stages.map(({ worker }) => worker))
    await bench.admin.flushall()
    return measurements
  },
}

interface Stage {
  size: number
  worker: Worker
}

type Times = Map<number, number[]>

async function fillDatabase(bench: Bench, database: number, size: number, worker: Worker | undefined): Promise<void> {
  const db = bench.admin.duplicate({ db: database })
  let template: string | undefined
  if (worker !== undefined) {
    await worker.call('seed', { content: 'nine fields', cookie: 'session cookie', from: 0, to: 1 })
    template = await templateOf(db)
  }
  await fill(db, { to: size, template }, (done) => bench.progress.within(`filling ${done} of ${size} sessions`))
  db.disconnect()
}

async function revokeTimes(bench: Bench, stages: readonly Stage[], revokes: number): Promise<Times> {
  const times: Times = new Map(stages.map(({ size }) => [size, []]))
  const rounds = Math.min(revokes, 10)
  for (let round = -1; round < rounds; round++) {
    for (const { size, worker } of stages) {
      bench.progress.within(`revoking among ${size}, round ${round + 1} of ${rounds}`)
      const taken = await worker.call('revoke', { rounds: Math.ceil(revokes / rounds), each: EACH })
      if (round >= 0) times.get(size)?.push(...taken)
    }
  }
  return times
}

/**
 * Measures connect-redis, which has no index of users, so that it must read all sessions. Sizes for which this takes
 * minutes are left out.
 */
async function theirRevokeTimes(bench: Bench): Promise<Times> {
  await bench.admin.flushall()
  const stages: Stage[] = []
  for (const [database, size] of bench.options.scale.sizes.filter((size) => size <= 100_000).entries()) {
    await fillDatabase(bench, database, size, undefined)
    stages.push({ size, worker: (await bench.worker(THEIRS, bench.redisPorts, database)) as Worker })
  }
  const times = await revokeTimes(bench, stages, 3)
  await bench.end(stages.map(({ worker }) => worker))
  return times
}

const REVOKE_HOW =
  `"Log out everywhere": milliseconds from call to answer. Rounds alternate between the numbers of sessions, each of which is in a ` +
  `database of its own; users have ${EACH} sessions each. connect-redis has no such function: what is shown for it is reading all sessions ` +
  `and destroying those of the user.`

function revokeMeasurement(own: Times, theirs: Times): Measurement {
  const first = median([...own.values()][0] ?? [])
  const table: Table = {
    title: '',
    columns: [
      { key: 'median', title: 'median, ms', digits: 2 },
      { key: 'p99', title: 'p99, ms', digits: 2 },
      { key: 'ratio', title: 'ratio of medians', digits: 2 },
      { key: 'theirs', title: 'connect-redis 10: `all()` and `destroy`, ms', digits: 0 },
    ],
    lines: [...own].map(([size, times]) => ({
      name: String(size),
      title: `${size.toLocaleString('en')} sessions in all`,
      values: {
        median: median(times),
        p99: quantile(times, 0.99),
        ratio: median(times) / first,
        theirs: theirs.has(size) ? median(theirs.get(size) as number[]) : '-',
      },
    })),
  }
  return { name: 'revoke', title: REVOKE_TITLE, how: REVOKE_HOW, tables: [table], goals: revokeGoals(own) }
}

function revokeGoals(own: Times): Goal[] {
  const medianAt = (size: number) => (own.has(size) ? median(own.get(size) as number[]) : null)
  const [few, many] = [medianAt(COMPARED[0]), medianAt(COMPARED[1])]
  const missing = 'not in this run'
  return [
    {
      what: `${REVOKE_TITLE}, at 1,000,000 sessions`,
      aim: '<= 5 ms',
      limit: 5,
      isUpperLimit: true,
      unit: ' ms',
      measured: many,
      ...(many === null ? { missing } : {}),
    },
    ratioGoal(
      `${REVOKE_TITLE}, at 1,000,000 against 10,000`,
      '<= 1.5x',
      1.5,
      few === null || many === null ? null : many / few,
      missing,
    ),
  ]
}

const MB = 2 ** 20
const MILLION_HOW =
  `Two processes, alternating, one with 10,000 sessions to read and one with 1,000,000; 50 reads at a time, all over the sessions. The heap is ` +
  `what \`process.memoryUsage()\` says after a collection. "Flat" is judged as at most 1.05x of the process with 10,000 sessions.`

async function measureMillion(bench: Bench, stages: readonly Stage[]): Promise<Measurement> {
  const compared = stages.filter(({ size }) => COMPARED.includes(size) || stages.length === 2)
  const { costs, redis, heaps } = await readCosts(bench, compared)
  const heapAfter = (size: number) => (heaps.get(size)?.at(-1) ?? Number.NaN) / MB
  const table: Table = {
    title: '',
    columns: [
      { key: 'cpu', title: 'CPU of get + touch, µs', digits: 1 },
      { key: 'redis', title: 'Redis, µs', digits: 1 },
      { key: 'first', title: 'heap after the first round, MB', digits: 2 },
      { key: 'heap', title: 'heap at the end, MB', digits: 2 },
    ],
    lines: compared.map(({ size }) => ({
      name: String(size),
      title: `${size.toLocaleString('en')} sessions`,
      values: {
        cpu: median(costs.get(size) ?? []),
        redis: median(redis.get(size) ?? []),
        first: (heaps.get(size)?.[0] ?? Number.NaN) / MB,
        heap: heapAfter(size),
      },
    })),
  }
  const goals = millionGoals(costs, heapAfter)
  return { name: 'million', title: MILLION_TITLE, how: MILLION_HOW, tables: [table], goals }
}

/** Measures reads in alternating rounds: CPU of the process and of Redis per operation, and the heap after each round. */
async function readCosts(bench: Bench, compared: readonly Stage[]) {
  const { rounds, roundMs } = bench.options.scale
  const perSize = (): Times => new Map(compared.map(({ size }) => [size, []]))
  const [costs, redis, heaps] = [perSize(), perSize(), perSize()]
  for (const { worker } of compared) await worker.call('use', { content: 'nine fields' })
  for (let round = -1; round < rounds; round++) {
    for (const { size, worker } of compared) {
      bench.progress.within(`reading among ${size}, round ${round + 1} of ${rounds}`)
      const before = await bench.redisCpu()
      const cost = await worker.call('cost', { work: 'read', sessions: size, concurrency: 50, ms: roundMs * 2 })
      const redisCpu = ((await bench.redisCpu()) - before) / cost.operations
      heaps.get(size)?.push(await worker.call('heap', null))
      if (round < 0) continue
      costs.get(size)?.push(cost.cpu)
      redis.get(size)?.push(redisCpu)
    }
  }
  return { costs, redis, heaps }
}

function millionGoals(costs: Times, heapAfter: (size: number) => number): Goal[] {
  const [few, many] = COMPARED
  const isThere = costs.has(few) && costs.has(many)
  const cost = isThere ? median(costs.get(many) ?? []) / median(costs.get(few) ?? []) : null
  const heap = isThere ? heapAfter(many) / heapAfter(few) : null
  return [
    ratioGoal(`${MILLION_TITLE}: heap of the process`, 'flat (<= 1.05x)', 1.05, heap, 'not in this run'),
    ratioGoal(`${MILLION_TITLE}: CPU per operation against 10,000`, '<= 1.2x', 1.2, cost, 'not in this run'),
  ]
}
