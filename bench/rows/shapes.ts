import type { Bench, Worker } from '../bench.js'
import { BASELINE } from '../contenders/index.js'
import { type CookieKind, sidOf } from '../contents.js'
import { cell, type Goal, ratioGoal, type Table } from '../results.js'
import { namesOf, type Row, titleOf } from './row.js'

const SESSIONS = 500
const COOKIES: readonly CookieKind[] = ['session cookie', 'maxAge, secure, lax']
/** Redis keeps a hash compact while no value is longer than this. */
const LIMITS = [64, 512]

/**
 * Compares the memory of sessions of many shapes (bench/shapes.ts), each with the same session as connect-redis keeps it: one
 * shape alone may just fit the steps in which memory is given out.
 */
export const shapesRow: Row = {
  names: ['shapes'],
  title: 'Redis memory over 500 shapes of sessions',
  async run(bench) {
    const workers = await bench.workers(namesOf(({ name }) => ['ours', BASELINE, 'raw hash'].includes(name)))
    const tables: Table[] = []
    const goals: Goal[] = []
    for (const limit of LIMITS) {
      await bench.admin.config('SET', 'hash-max-listpack-value', limit)
      const setting = limit === 64 ? 'default settings' : `hash-max-listpack-value ${limit}`
      for (const cookie of COOKIES) {
        const table = await tableOf(bench, workers, cookie, `${setting}, ${cookie}`)
        tables.push(table)
        const what = `${this.title}, ${table.title}`
        goals.push(ratioGoal(`${what}: mean`, '<= 0.85x', 0.85, cell(table, 'ours', 'mean') ?? null))
        goals.push(ratioGoal(`${what}: worst`, '<= 1x', 1, cell(table, 'ours', 'worst') ?? null))
      }
    }
    await bench.admin.config('SET', 'hash-max-listpack-value', 64)
    await bench.end(workers)
    const how =
      `${SESSIONS} generated sessions, from Passport's one property to forty, the same in every run. \`MEMORY USAGE\` of each, divided by that of the ` +
      `same session of connect-redis; next to it the growth of \`used_memory\`. "raw" is the floor: the session's properties and nothing else.`
    return [{ name: 'shapes', title: this.title, how, tables, goals }]
  },
}

async function tableOf(bench: Bench, workers: readonly Worker[], cookie: CookieKind, title: string): Promise<Table> {
  const measured = new Map<string, Measured>()
  for (const worker of workers) {
    bench.progress.within(`${title}, ${worker.contender}`)
    measured.set(worker.contender, await measure(bench, worker, cookie))
  }
  const baseline = measured.get(BASELINE)?.usages ?? []
  const lines = [...measured].map(([name, { total, usages }]) => {
    const ratios = usages.map((usage, i) => usage / (baseline[i] as number))
    const mean = ratios.reduce((sum, one) => sum + one, 0) / ratios.length
    const larger = ratios.filter((one) => one > 1).length
    return { name, title: titleOf(name), values: { mean, worst: Math.max(...ratios), larger, total } }
  })
  const columns = [
    { key: 'mean', title: 'mean ratio', digits: 2 },
    { key: 'worst', title: 'worst', digits: 2 },
    { key: 'larger', title: 'sessions above 1x', digits: 0 },
    { key: 'total', title: 'bytes', digits: 0 },
  ]
  return { title, columns, lines, ratio: { of: 'total', to: BASELINE } }
}

interface Measured {
  /** Bytes by which a session makes Redis grow, on average. */
  total: number
  /** MEMORY USAGE of each session. */
  usages: number[]
}

async function measure(bench: Bench, worker: Worker, cookie: CookieKind): Promise<Measured> {
  const db = bench.adminOf(worker.contender)
  await db.flushall()
  // Scripts and connections cost memory once, which must not count for the sessions.
  await worker.call('seed', { content: 'realistic shapes', cookie, from: 0, to: 1 })
  const before = await usedMemory(bench)
  await worker.call('seed', { content: 'realistic shapes', cookie, from: 1, to: SESSIONS + 1 })
  const total = ((await usedMemory(bench)) - before) / SESSIONS
  const keys = new Map((await db.keys('*')).map((key) => [key.slice(-sidOf(0).length), key]))
  const usages: number[] = []
  for (let i = 1; i <= SESSIONS; i++) usages.push(Number(await db.memory('USAGE', keys.get(sidOf(i)) as string)))
  db.disconnect()
  return { total, usages }
}

async function usedMemory(bench: Bench): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await bench.admin.info('memory'))?.[1])
}
