import type { Redis } from 'ioredis'
import type { Bench, Worker } from '../bench.js'
import { contentOf } from '../contents.js'
import { type Goal, type Line, type Measurement, ratioGoal, type Table } from '../results.js'
import { median } from '../statistics.js'
import { EACH, fill, templateOf } from './fill.js'
import type { Row } from './row.js'

const MB = 1_000_000
/** What arithmetic starts from, as a part of all sessions. */
const SAMPLE = 1 / 100
/** 10 million requests a day, five times as many per second in the busiest minutes as on average. */
const PEAK = Math.ceil((10_000_000 / 86_400) * 5)
const POLL_MS = 20

/** Fills one Redis, and measures what docs/capacity.md works out on paper. */
export const capacityRow: Row = {
  names: ['capacity'],
  title: 'Capacity of one Redis',
  async run(bench) {
    const { capacity } = bench.options.scale
    await bench.admin.flushall()
    const worker = (await bench.worker('ours, user index', bench.redisPorts, 0)) as Worker
    await worker.call('seed', { content: 'nine fields', cookie: 'session cookie', from: 0, to: 1 })
    const template = await templateOf(bench.admin)
    const [sample, whole] = await filled(bench, template, capacity)
    const load = await requestCosts(bench, worker, capacity)
    const file = await rewritten(bench, worker, capacity)
    const replica = await replicated(bench)
    await bench.end([worker])
    await bench.admin.flushall()
    return [measurementOf({ sample, whole, load, file, replica })]
  },
}

/** Growth of `used_memory` by so many sessions with an index entry each. */
interface Filled {
  sessions: number
  bytes: number
}

async function filled(bench: Bench, template: string, capacity: number): Promise<[Filled, Filled]> {
  const before = await info(bench.admin, 'memory', 'used_memory')
  const content = (userId: string) => ({ ...contentOf('nine fields', 0), userId })
  const results: Filled[] = []
  let from = 0
  for (const to of [capacity * SAMPLE, capacity]) {
    const onProgress = (n: number) => bench.progress.within(`${n} of ${capacity} sessions`)
    await fill(bench.admin, { from, to, template, content }, onProgress)
    await rehashed(bench.admin)
    results.push({ sessions: to, bytes: (await info(bench.admin, 'memory', 'used_memory')) - before })
    from = to
  }
  return results as [Filled, Filled]
}

/** Waits until Redis has moved all keys to the larger table, and has freed the smaller one. */
async function rehashed(db: Redis): Promise<void> {
  for (let last = -1, now = 0; last !== now; ) {
    last = now
    await new Promise((resolve) => setTimeout(resolve, 1000))
    now = await info(db, 'memory', 'used_memory')
    // A megabyte more or less comes and goes with the buffers of connections.
    if (Math.abs(now - last) < MB / 4) break
  }
}

/** Bytes of the two tables of a database: all keys, and those with a TTL. Each has a power of two of places. */
function tables(keys: number): number {
  return 2 * 8 * 2 ** Math.ceil(Math.log2(keys))
}

/** Works out the memory of many sessions from that of few. */
function expectedBytes(sample: Filled, sessions: number): number {
  const keys = (n: number) => n + n / EACH
  const each = (sample.bytes - tables(keys(sample.sessions))) / sample.sessions
  return each * sessions + tables(keys(sessions))
}

/** CPU of Redis per request in microseconds, by kind of request, one at a time and 50 at a time. */
type Load = Record<'read1' | 'write1' | 'read50' | 'write50', number>

async function requestCosts(bench: Bench, worker: Worker, sessions: number): Promise<Load> {
  const { rounds, roundMs } = bench.options.scale
  await worker.call('use', { content: 'nine fields' })
  const load: Partial<Load> = {}
  for (const work of ['read', 'write'] as const) {
    for (const concurrency of [1, 50] as const) {
      const costs: number[] = []
      for (let round = 0; round < rounds; round++) {
        const before = await bench.redisCpu()
        const { operations } = await worker.call('cost', { work, sessions, concurrency, ms: roundMs })
        costs.push(((await bench.redisCpu()) - before) / operations)
      }
      load[`${work}${concurrency}`] = median(costs)
    }
  }
  return load as Load
}

interface Rewrite {
  seconds: number
  cpuSeconds: number
  bytes: number
  copiedBytes: number
  /** Milliseconds for which Redis stands still at the beginning. */
  forkMs: number
  writesPerSecond: number
}

/** Has Redis write the append-only file anew, while one writer changes a session after the other without a pause. */
async function rewritten(bench: Bench, worker: Worker, sessions: number): Promise<Rewrite> {
  const db = bench.admin
  const childrenCpu = async () =>
    (await info(db, 'cpu', 'used_cpu_user_children')) + (await info(db, 'cpu', 'used_cpu_sys_children'))
  const before = await childrenCpu()
  const start = performance.now()
  await db.config('SET', 'appendonly', 'yes')
  let isDone = false
  const done = until(async () => (await info(db, 'persistence', 'aof_rewrite_in_progress')) === 0).then(() => {
    isDone = true
    return (performance.now() - start) / 1000
  })
  let writes = 0
  while (!isDone) writes += (await worker.call('cost', { work: 'write', sessions, concurrency: 1, ms: 100 })).operations
  const seconds = await done
  const writesPerSecond = writes / ((performance.now() - start) / 1000)
  const bytes = await info(db, 'persistence', 'aof_base_size')
  const copiedBytes = await info(db, 'persistence', 'aof_last_cow_size')
  const forkMs = (await info(db, 'stats', 'latest_fork_usec')) / 1000
  await db.config('SET', 'appendonly', 'no')
  return { seconds, cpuSeconds: (await childrenCpu()) - before, bytes, copiedBytes, forkMs, writesPerSecond }
}

interface Replica {
  /** Until a new, empty replica has everything. */
  seconds: number
  bytes: number
  /** Milliseconds from the order to take over until it accepts a write. */
  promotionMs: number
}

async function replicated(bench: Bench): Promise<Replica> {
  const db = bench.admin
  const { redisPort } = bench.redisPorts
  await db.config('SET', 'repl-diskless-sync-delay', 0)
  const sent = await info(db, 'stats', 'total_net_repl_output_bytes')
  const start = performance.now()
  const replica = await bench.anotherRedis(['--replicaof', `127.0.0.1 ${redisPort}`])
  await until(async () => /master_link_status:up/.test(await replica.info('replication')))
  const seconds = (performance.now() - start) / 1000
  const bytes = (await info(db, 'stats', 'total_net_repl_output_bytes')) - sent
  const ordered = performance.now()
  await replica.replicaof('NO', 'ONE')
  await replica.set('written', 'yes')
  const promotionMs = performance.now() - ordered
  await replica.flushall()
  return { seconds, bytes, promotionMs }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
}

async function info(db: Redis, section: string, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await db.info(section))?.[1])
}

const HOW =
  `One Redis with default settings, filled with sessions of nine properties, each with an entry in the index of its user, ${EACH} sessions per user. ` +
  `"Worked out" is the arithmetic of [capacity.md](capacity.md), from a hundredth of the sessions. The append-only file is written anew while one writer changes ` +
  `sessions without a pause. Requests are a tenth writes; at ${PEAK} a second Redis cannot handle several together, so the cost of one at a time counts.`

interface Figures {
  sample: Filled
  whole: Filled
  load: Load
  file: Rewrite
  replica: Replica
}

function measurementOf(figures: Figures): Measurement {
  const { sample, whole } = figures
  const count = whole.sessions.toLocaleString('en')
  const expected = expectedBytes(sample, whole.sessions)
  const memory: Table = {
    title: 'memory',
    columns: [
      { key: 'worked', title: 'worked out, MB', digits: 1 },
      { key: 'measured', title: 'measured, MB', digits: 1 },
      { key: 'each', title: 'bytes per session', digits: 0 },
    ],
    lines: [sample, whole].map(({ sessions, bytes }) => ({
      name: String(sessions),
      title: `${sessions.toLocaleString('en')} sessions`,
      values: { worked: expectedBytes(sample, sessions) / MB, measured: bytes / MB, each: bytes / sessions },
    })),
  }
  const work: Table = {
    title: `work, at ${count} sessions`,
    columns: [{ key: 'value', title: '', digits: 1 }],
    lines: linesOf(figures),
  }
  const headroom = capacityOf(figures) / PEAK
  const goals: Goal[] = [
    ratioGoal(`Memory of ${count} sessions against what is worked out`, '<= 1.05x', 1.05, whole.bytes / expected),
    ratioGoal(`10 million requests a day: what one Redis can do, of ${PEAK} a second`, '>= 10x', 10, headroom),
  ]
  return { name: 'capacity', title: capacityRow.title, how: HOW, tables: [memory, work], goals }
}

/** Requests per second that fill one core of Redis. */
function capacityOf({ load }: Figures): number {
  return 1e6 / (0.9 * load.read1 + 0.1 * load.write1)
}

function linesOf(figures: Figures): Line[] {
  const { load, file, replica } = figures
  const facts: [string, number][] = [
    ['Redis per read request, one at a time, µs', load.read1],
    ['Redis per read request, 50 at a time, µs', load.read50],
    ['Redis per write request (load and save), one at a time, µs', load.write1],
    ['Redis per write request, 50 at a time, µs', load.write50],
    ['requests/s that fill the core of Redis, one at a time', capacityOf(figures)],
    ['append-only file, MB', file.bytes / MB],
    ['Redis stands still when it begins to write it anew, ms', file.forkMs],
    ['to write it anew, s', file.seconds],
    ['CPU of that, s', file.cpuSeconds],
    ['requests/s that the writer got meanwhile', file.writesPerSecond],
    ['memory copied meanwhile, MB', file.copiedBytes / MB],
    ['until a new replica has everything, s', replica.seconds],
    ['sent to it, MB', replica.bytes / MB],
    ['until a replica that is told to takes over, ms', replica.promotionMs],
  ]
  return facts.map(([title, value]) => ({ name: title, title, values: { value } }))
}
