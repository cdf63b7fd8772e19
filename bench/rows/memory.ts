import type { Bench, Worker } from '../bench.js'
import { BASELINE } from '../contenders/index.js'
import type { Content, CookieKind } from '../contents.js'
import { type Goal, ratio, ratioGoal, type Table } from '../results.js'
import { namesOf, type Row, titleOf } from './row.js'

const CONTENTS: readonly (readonly [Content, number])[] = [
  ['nine fields', 0.8],
  ['Passport only', 0.65],
]
const COOKIES: readonly CookieKind[] = ['session cookie', 'maxAge, secure, lax']

/** Measures the bytes per session in a Redis with default settings. */
export const memoryRow: Row = {
  names: ['memory'],
  title: 'Redis memory per session',
  async run(bench) {
    const workers = await bench.workers(namesOf(isIn))
    // Scripts, connections and code paths cost memory once, which must not count for the sessions.
    for (const worker of workers) await measure(bench, worker, 'Passport only', 'session cookie')
    const tables: Table[] = []
    const goals: Goal[] = []
    for (const [content, limit] of CONTENTS) {
      for (const cookie of COOKIES) {
        const table = await tableOf(bench, workers, content, cookie)
        tables.push(table)
        const aim = `<= ${limit.toFixed(2)}x`
        const measured = ratio(table, 'total', 'ours', BASELINE)
        goals.push(ratioGoal(`${this.title}, ${content} (${cookie})`, aim, limit, measured))
      }
    }
    await bench.end(workers)
    const how =
      `The growth of \`used_memory\` by ${bench.options.scale.memorySessions} sessions, divided by their number, so that it holds ` +
      `everything a key costs; next to it \`MEMORY USAGE\` of one of them. A Redis with default settings.`
    return [{ name: 'memory', title: this.title, how, tables, goals }]
  },
}

function isIn({ name, server, isRaw }: { name: string; server: string; isRaw?: boolean }): boolean {
  return server === 'redis' && !isRaw && !/near|every|pipelining|index/.test(name)
}

async function tableOf(bench: Bench, workers: readonly Worker[], content: Content, cookie: CookieKind): Promise<Table> {
  const table: Table = {
    title: `${content}, ${cookie}`,
    columns: [
      { key: 'total', title: 'bytes', digits: 0 },
      { key: 'usage', title: 'MEMORY USAGE', digits: 0 },
      { key: 'usageRatio', title: 'ratio of MEMORY USAGE', digits: 2 },
      { key: 'encoding', title: 'encoding', digits: 0 },
    ],
    lines: [],
    ratio: { of: 'total', to: BASELINE },
  }
  for (const worker of workers) {
    bench.progress.within(`${content}, ${cookie}, ${worker.contender}`)
    const values = await measure(bench, worker, content, cookie)
    table.lines.push({ name: worker.contender, title: titleOf(worker.contender), values })
  }
  const baseline = table.lines.find(({ name }) => name === BASELINE)?.values.usage as number
  for (const { values } of table.lines) values.usageRatio = (values.usage as number) / baseline
  return table
}

async function measure(bench: Bench, worker: Worker, content: Content, cookie: CookieKind) {
  const count = bench.options.scale.memorySessions
  const db = bench.adminOf(worker.contender)
  await db.flushall()
  const before = await usedMemory(bench)
  await worker.call('seed', { content, cookie, from: 0, to: count })
  const total = ((await usedMemory(bench)) - before) / count
  const key = (await db.randomkey()) as string
  const usage = Number(await db.memory('USAGE', key))
  const encoding = String(await db.object('ENCODING', key))
  db.disconnect()
  return { total, usage, encoding }
}

async function usedMemory(bench: Bench): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await bench.admin.info('memory'))?.[1])
}
