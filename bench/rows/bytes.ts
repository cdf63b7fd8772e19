import type { Bench, Worker } from '../bench.js'
import { BASELINE } from '../contenders/index.js'
import { cell, type Goal, type Table } from '../results.js'
import { median } from '../statistics.js'
import { namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 20

/** Measures the network traffic of one changed counter in a session of 16 kB. */
export const bytesRow: Row = {
  names: ['bytes'],
  title: 'Bytes sent for a one-counter change of a 16 kB session',
  async run(bench) {
    await bench.admin.flushall()
    const proxy = bench.proxy()
    const workers = await bench.workers(namesOf(isRemote), await bench.portsBehind(proxy))
    const table: Table = {
      title: '',
      columns: [
        { key: 'sent', title: 'sent, B', digits: 0 },
        { key: 'received', title: 'received, B', digits: 0 },
        { key: 'read', title: 'received by a read-only request, B', digits: 0 },
      ],
      lines: [],
      ratio: { of: 'sent', to: BASELINE },
    }
    for (const worker of workers) {
      bench.progress.within(worker.contender)
      const values = await bytesOf(worker, proxy)
      table.lines.push({ name: worker.contender, title: titleOf(worker.contender), values })
      await bench.end([worker])
    }
    await bench.end([proxy])
    return [{ name: 'bytes', title: this.title, how: HOW, tables: [table], goals: [goalOf(this.title, table)] }]
  },
}

const HOW =
  `A request that adds one to a counter in a session that also has eight fields of 2 kB: everything the application ` +
  `sends for it, loading included, counted on the TCP connection by a proxy. Median of ${SESSIONS} requests.`

function isRemote({ name, server, isRaw }: { name: string; server: string; isRaw?: boolean }): boolean {
  return ['redis', 'sql'].includes(server) && !isRaw && !/every|pipelining|index/.test(name)
}

async function bytesOf(worker: Worker, proxy: ReturnType<Bench['proxy']>) {
  await worker.call('seed', { content: '16 kB and a counter', cookie: 'session cookie', from: 0, to: SESSIONS + 1 })
  // Scripts and prepared statements are sent once per process, so send them before counting.
  await worker.call('once', { work: 'write', i: SESSIONS })
  await worker.call('once', { work: 'read', i: SESSIONS })
  const counts = { read: [] as number[], sent: [] as number[], received: [] as number[] }
  await proxy.call('takeBytes', null)
  for (let i = 0; i < SESSIONS; i++) {
    await worker.call('once', { work: 'read', i })
    counts.read.push((await proxy.call('takeBytes', null)).toClient)
    await worker.call('once', { work: 'write', i })
    const { toServer, toClient } = await proxy.call('takeBytes', null)
    counts.sent.push(toServer)
    counts.received.push(toClient)
  }
  return { sent: median(counts.sent), received: median(counts.received), read: median(counts.read) }
}

function goalOf(what: string, table: Table): Goal {
  const measured = cell(table, 'ours', 'sent') ?? null
  return { what, aim: '<= 400 B', limit: 400, isUpperLimit: true, unit: ' B', measured }
}
