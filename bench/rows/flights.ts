import { databaseOf } from '../bench.js'
import type { Goal, Table } from '../results.js'
import { namesOf, type Row, titleOf } from './row.js'

/** What a request may need, and the most flights that it may take. */
const WORKS = [
  { key: 'read', title: 'read', limit: 1 },
  { key: 'write', title: 'write', limit: 2 },
  { key: 'create', title: 'first save', limit: 1 },
  { key: 'login', title: 'login', limit: 3 },
  { key: 'logout', title: 'logout', limit: 2 },
  { key: 'everywhere', title: 'log out everywhere', limit: 3 },
] as const

/** Counts the round trips to Redis that a request waits for, one after the other. */
export const flightsRow: Row = {
  names: ['flights'],
  title: 'Round trips one after the other',
  async run(bench) {
    await bench.admin.flushall()
    const table: Table = {
      title: '',
      columns: WORKS.map(({ key, title }) => ({ key, title, digits: 0 })),
      lines: [],
    }
    for (const contender of namesOf(isIn)) {
      bench.progress.within(contender)
      const [worker] = await bench.workers([contender], bench.redisPorts)
      const place = { ...bench.redisPorts, redisDatabase: databaseOf(contender), directory: '' }
      const values = await worker?.call('flights', { contender, place })
      if (values !== undefined) table.lines.push({ name: contender, title: titleOf(contender), values })
      if (worker !== undefined) await bench.end([worker])
    }
    return [{ name: 'flights', title: this.title, how: HOW, tables: [table], goals: goalsOf(this.title, table) }]
  },
}

/**
 * Not valkey-glide, whose threads may still send something when the process is quiet, and not the near cache, which asks every
 * now and then whether Redis is there.
 */
function isIn({ name, server, isRaw }: { name: string; server: string; isRaw?: boolean }): boolean {
  return server === 'redis' && !isRaw && !/every|pipelining|valkey|near/.test(name)
}

const HOW =
  `Counted by a proxy that holds every reply back until the application has nothing more to send, so that it does not depend on time: each release of replies is ` +
  `a round trip that the application has waited for. "Read" is \`get\` and \`touch\`, "write" \`get\` and \`set\`, "login" \`get\`, \`regenerate\` and \`set\`, "logout" \`get\` ` +
  `and \`destroy\`, as express-session does them; "log out everywhere" ends the four sessions of a user (connect-redis: \`all\`, and \`destroy\` for each at once). What ` +
  `\`secureSession\` does in a request is counted in the tests, see [operations.md](operations.md#round-trips).`

function goalsOf(title: string, table: Table): Goal[] {
  return WORKS.map(({ key, title: work, limit }) => {
    const line = table.lines.find(({ name }) => name === (key === 'everywhere' ? 'ours, user index' : 'ours'))
    const measured = typeof line?.values[key] === 'number' ? (line.values[key] as number) : null
    return { what: `${title}: ${work}`, aim: `<= ${limit}`, limit, isUpperLimit: true, unit: '', measured }
  })
}
