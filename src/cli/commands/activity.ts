import type { ActivityPoint, ActivityStep } from '../../admin/activity.js'
import { helped, helpOf, STORE_OPTIONS } from '../command.js'
import { CommandError, EXIT, type Io } from '../io.js'
import { jsonLine } from '../output/printable.js'
import { printTable } from '../output/table.js'
import { grouped } from '../output/times.js'
import { type Options, parse } from '../parse.js'
import { type Opened, withStore } from '../target/open-store.js'
import { urlIn } from '../target/url-in.js'

export const SUMMARY = 'count active users and sessions by minute, hour or day'

const STEPS = ['minute', 'hour', 'day'] as const satisfies readonly ActivityStep[]

export const OPTIONS = {
  step: { type: 'string', default: 'hour', value: 'step', help: 'minute, hour (default) or day', choices: STEPS },
  from: {
    type: 'string',
    value: 'time',
    help: '2026-01-31 or 2026-01-31T10:00Z (default: an hour, a day or 30 days ago)',
  },
  to: { type: 'string', value: 'time', help: 'the end (default: now)' },
  ...STORE_OPTIONS,
} as const satisfies Options

const HELP = helpOf(
  'activity [options] [url]',
  `Shows how many different users and sessions were active in each minute, hour or day (UTC), with an error of about one
percent. The application has to count them: new RedisStore({ activity: true }).`,
  OPTIONS,
)

const DAY_MS = 86_400_000
/** Milliseconds that are shown without --from. */
const SHOWN_MS: Readonly<Record<ActivityStep, number>> = { minute: DAY_MS / 24, hour: DAY_MS, day: 30 * DAY_MS }
const BAR = 30

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse('activity', args, OPTIONS)
  if (values.help) return helped(io, HELP)
  const step = STEPS.find((one) => one === values.step)
  if (step === undefined) throw new CommandError(`--step takes ${STEPS.join(', ')}.`)
  const to = timeIn('to', values.to) ?? Date.now()
  const from = timeIn('from', values.from) ?? to - SHOWN_MS[step]
  if (from > to) throw new CommandError('--from is later than --to.')
  const target = { url: urlIn(positionals), prefix: values.prefix, keyPrefix: values['key-prefix'], needs: ['pfcount'] }
  return withStore(io, { ...target, options: { activity: true } }, async (store) => {
    const points = await read(store, { from, to, step })
    if (values.json) for (const point of points) io.out(jsonLine(point))
    else print(io, points, step)
    if (points.some(({ sessions }) => sessions > 0)) return EXIT.fine
    if (io.isWatched) io.err('Nobody was active, or the stores of the application have no "activity" option.\n')
    return EXIT.found
  })
}

async function read({ activity }: Opened, range: { from: number; to: number; step: ActivityStep }) {
  try {
    return (await activity?.read(range))?.points ?? []
  } catch (err) {
    // The range has too many steps.
    if (err instanceof TypeError) throw new CommandError('--from and --to are too far apart for this --step.')
    throw err
  }
}

function timeIn(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw new CommandError(`--${name} takes a time: 2026-01-31 or 2026-01-31T10:00Z.`)
  return time
}

function print(io: Io, points: readonly ActivityPoint[], step: ActivityStep): void {
  const most = Math.max(1, ...points.map(({ sessions }) => sessions))
  const number = { isNumber: true }
  const columns = [{ title: 'TIME (UTC)' }, { title: 'USERS', ...number }, { title: 'SESSIONS', ...number }]
  printTable(
    io,
    io.isTerminal ? [...columns, { title: '' }] : columns,
    points.map(({ at, users, sessions }) =>
      io.isTerminal
        ? [nameOf(at, step), grouped(users), grouped(sessions), '█'.repeat(Math.ceil((sessions * BAR) / most))]
        : [at.toISOString(), String(users), String(sessions)],
    ),
  )
}

function nameOf(at: Date, step: ActivityStep): string {
  const text = at.toISOString()
  return step === 'day' ? text.slice(0, 10) : text.slice(0, 16).replace('T', ' ')
}
