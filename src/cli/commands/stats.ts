import { withIndexes } from '../../admin/admin-access.js'
import { type Ages, addIndex, addIndexKeys, addSessions, noSessions, type SessionStats } from '../../admin/stats.js'
import { helped, helpOf, RESUME_OPTION, STORE_OPTIONS } from '../command.js'
import { EXIT, type Io } from '../io.js'
import { jsonLine } from '../output/printable.js'
import { paint, printTable } from '../output/table.js'
import { bytes, grouped } from '../output/times.js'
import { type Options, parse } from '../parse.js'
import { type Opened, withStore } from '../target/open-store.js'
import { urlIn } from '../target/url-in.js'
import { Walk } from '../target/walk.js'

export const SUMMARY = 'count sessions, their memory and ages, and the indexes'

export const OPTIONS = { ...RESUME_OPTION, ...STORE_OPTIONS } as const satisfies Options

const HELP = helpOf(
  'stats [options] [url]',
  `Counts all sessions: how many, how much memory they and their indexes use, how old and how idle they are, and how many are
in each index. It looks at every key, twice, and changes nothing.`,
  OPTIONS,
)

const NEEDS = ['scan', 'hmget', 'hget', 'pttl', 'get', 'memory|usage', 'evalsha', 'eval']
const INDEX = /^[A-Za-z]\w{0,31}$/

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse('stats', args, OPTIONS)
  if (values.help) return helped(io, HELP)
  const { prefix, resume } = values
  const target = { url: urlIn(positionals), prefix, keyPrefix: values['key-prefix'], needs: NEEDS }
  return withStore(io, target, async (store) => {
    const walk = new Walk(io, store, { of: 'stats', rounds: 2, resume, data: noSessions() })
    await count(store, walk)
    if (walk.isStopped) return walk.stopped()
    if (values.json) io.out(jsonLine(walk.data))
    else if (io.isTerminal) print(io, walk.data)
    else printBare(io, walk.data)
    return EXIT.fine
  })
}

async function count({ context, keyspace, within }: Opened, walk: Walk<SessionStats>): Promise<void> {
  const stats = walk.data
  // The keys of indexes come first: they tell which indexes the application has.
  await walk.round(
    (place) => keyspace.indexKeys(place),
    async (batch) => {
      for (const name of batch.map((key) => context.keys.indexName(key))) if (INDEX.test(name)) addIndex(stats, name)
      await addIndexKeys(context, within, stats, batch)
      walk.count += batch.length
    },
    'index value',
  )
  if (!walk.isStopped) walk.count = stats.sessions
  await walk.round(
    (place) => keyspace.candidates(place),
    async (batch) => {
      await addSessions(withIndexes(context, Object.keys(stats.indexes)), within, stats, batch)
      walk.count = stats.sessions
    },
  )
}

const AGES: readonly (readonly [keyof Ages, string])[] = [
  ['minute', 'less than a minute'],
  ['hour', 'less than an hour'],
  ['day', 'less than a day'],
  ['week', 'less than a week'],
  ['older', 'a week or more'],
]

/** Prints names and numbers for programs that know no JSON. */
function printBare(io: Io, { sessions, bytes: size, indexes, age, idle, ends }: SessionStats): void {
  const ofIndexes = Object.entries(indexes).flatMap(([name, one]) => [
    [`index ${name} sessions`, one.sessions] as const,
    [`index ${name} values`, one.values] as const,
  ])
  const ofAges = AGES.flatMap(([name]) => [
    [`age ${name}`, age[name]] as const,
    [`idle ${name}`, idle[name]] as const,
    [`ends ${name}`, ends[name]] as const,
  ])
  const rows = [
    ['sessions', sessions] as const,
    ['bytes', size] as const,
    ...ofIndexes,
    ...ofAges,
    ['ends never', ends.never] as const,
  ]
  printTable(
    io,
    [],
    rows.map(([name, count]) => [name, String(count)]),
  )
}

function print(io: Io, stats: SessionStats): void {
  const { sessions, bytes: size, indexes, age, idle, ends } = stats
  const mean = sessions === 0 ? '' : `, ${bytes(Math.round(size / sessions))} each with indexes`
  io.out(`${paint(io, 'bold', `${grouped(sessions)} sessions`)}, ${bytes(size)}${mean}\n\n`)
  const number = { isNumber: true }
  const ages = AGES.map(([name, title]) => [title, grouped(age[name]), grouped(idle[name]), grouped(ends[name])])
  if (ends.never > 0) ages.push(['never', '', '', grouped(ends.never)])
  const titles = ['BEGAN', 'LAST SEEN', 'ENDS IN'].map((title) => ({ title, ...number }))
  printTable(io, [{ title: '' }, ...titles], ages)
  const rows = Object.entries(indexes).map(([name, one]) => [name, grouped(one.sessions), grouped(one.values)])
  if (rows.length === 0) return
  io.out('\n')
  printTable(io, [{ title: 'INDEX' }, { title: 'SESSIONS', ...number }, { title: 'VALUES', ...number }], rows)
}
