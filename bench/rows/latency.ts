import { Redis } from 'ioredis'
import { BASELINE } from '../contenders/index.js'
import { cell, type Goal, ratio, ratioGoal, type Table } from '../results.js'
import { median } from '../statistics.js'
import { alternate, namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 200

/** Measures a read-only request of Express, at increasing distances to Redis. */
export const latencyRow: Row = {
  names: ['latency'],
  title: 'p50 of a read-only Express request, Redis 1 ms away each way',
  async run(bench) {
    const { rounds, requests, distances } = bench.options.scale
    await bench.admin.flushall()
    const proxy = bench.proxy()
    const ports = await bench.portsBehind(proxy)
    const workers = await bench.workers(namesOf(isIn), ports)
    const sites = new Map<string, number>()
    for (const worker of workers) {
      await worker.call('seed', { content: '8 fields x 20 B', cookie: 'session cookie', from: 0, to: SESSIONS })
      sites.set(worker.contender, await worker.call('serve', { isBare: false }))
    }
    const load = bench.load()
    const table: Table = {
      title: '',
      columns: distances.map((ms) => ({
        key: String(ms),
        title: ms === 0 ? 'no distance, ms' : `${ms} ms`,
        digits: 2,
      })),
      lines: workers.map(({ contender }) => ({ name: contender, title: titleOf(contender), values: {} })),
      ratio: { of: '1', to: BASELINE },
    }
    const pings = new Map<number, number>()
    for (const distance of distances) {
      await proxy.call('delay', distance)
      const ownPings: number[] = []
      const times = await alternate(bench, workers, Math.min(rounds, 5), async ({ contender }, round) => {
        if (round >= 0 && contender === workers[0]?.contender) ownPings.push(await pingMs(ports.redisPort))
        const port = sites.get(contender) as number
        return median(await load.call('latencies', { port, sessions: SESSIONS, requests }))
      })
      pings.set(distance, median(ownPings))
      for (const line of table.lines) line.values[distance] = median(times.get(line.name) ?? [])
    }
    await bench.end([load, ...workers, proxy])
    const how = howOf(pings, requests)
    const goals = goalsOf(this.title, table, pings.get(1))
    return [{ name: 'latency', title: this.title, how, tables: [table], goals }]
  },
}

function isIn({ name, isRaw }: { name: string; isRaw?: boolean }): boolean {
  return !isRaw && !/every|pipelining|index/.test(name)
}

function howOf(pings: ReadonlyMap<number, number>, requests: number): string {
  const texts = [...pings].map(([distance, ms]) => `${ms.toFixed(2)} ms at ${distance}`)
  return (
    `Express 5 with \`session()\` and one route; visitors come one after the other on one connection from another process. A ` +
    `proxy between the application and its server (Redis, PGlite) holds everything back by so many milliseconds each way; PING through ` +
    `it takes ${texts.join(', ')}. ${requests} requests per round, the median of the rounds' p50.`
  )
}

/** @param pingMs what one round trip takes that nothing can avoid */
function goalsOf(title: string, table: Table, pingMs: number | undefined): Goal[] {
  const near = ratio(table, '1', 'ours, near cache', 'MemoryStore')
  const [ours, inMemory] = [cell(table, 'ours', '1'), cell(table, 'MemoryStore', '1')]
  const isMeasured = pingMs !== undefined && ours !== undefined && inMemory !== undefined
  return [
    ratioGoal(title, '<= 1.15x of PING + MemoryStore', 1.15, isMeasured ? ours / (pingMs + inMemory) : null),
    ratioGoal(`${title}, near cache`, '<= 1.2x of MemoryStore', 1.2, near, 'no near cache yet'),
  ]
}

/** Measures the round trip that a distance really causes, in milliseconds. */
async function pingMs(port: number): Promise<number> {
  const client = new Redis(port)
  const times: number[] = []
  for (let i = 0; i < 50; i++) {
    const start = performance.now()
    await client.ping()
    times.push(performance.now() - start)
  }
  client.disconnect()
  return median(times)
}
