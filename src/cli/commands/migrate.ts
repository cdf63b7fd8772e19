import { setTimeout as sleep } from 'node:timers/promises'
import { helped, helpOf, RESUME_OPTION, STORE_OPTIONS } from '../command.js'
import { CommandError, EXIT, type Io } from '../io.js'
import { FORM_OPTIONS, type Form, formIn, nameOf } from '../migrate/form.js'
import { Migration, type Obstacle, type Outcome } from '../migrate/migration.js'
import { Pace } from '../migrate/pace.js'
import { jsonLine } from '../output/printable.js'
import { counted, grouped } from '../output/times.js'
import { countIn, type Options, parse } from '../parse.js'
import { LeaveToApplication } from '../target/leave-to-application.js'
import { type Opened, withStore } from '../target/open-store.js'
import { urlIn } from '../target/url-in.js'
import { Walk } from '../target/walk.js'

export const SUMMARY = 'bring all sessions into another form: hashes, hashed ids, encryption, another prefix, and back'

export const OPTIONS = {
  ...FORM_OPTIONS,
  rate: { type: 'string', value: 'number', help: 'sessions a second at most (default: as fast as it can)' },
  yes: { type: 'boolean', short: 'y', default: false, help: 'do not ask; scripts need it' },
  'dry-run': { type: 'boolean', default: false, help: 'only count' },
  ...RESUME_OPTION,
  ...STORE_OPTIONS,
} as const satisfies Options

const HELP = helpOf(
  'migrate [--to hash|connect-redis] [options] [url]',
  `Brings every session into the form that the application is to have: without options, strings of connect-redis become
hashes. The application may go on meanwhile: a session is changed at one moment, and only if nobody has changed it since it
was read. Nothing is prolonged. Docs: docs/migrating.md.`,
  OPTIONS,
)

const NEEDS = [
  ...['scan', 'time', 'get', 'hgetall', 'hget', 'hmget', 'pttl', 'exists', 'evalsha', 'eval'],
  ...['type', 'hset', 'hdel', 'del', 'set', 'pexpire', 'persist', 'zadd', 'zrem', 'zscore', 'zrange', 'zrevrange'],
  ...['zcount', 'zremrangebyscore', 'pexpireat'],
]

/** Counts by outcome, as far as the walk has come. */
type Counts = Partial<Record<Outcome, number>>

interface Progressed {
  counted: Counts
  done: Counts
  /** Whether somebody has agreed. */
  isAgreed: boolean
  /** When the walk began, seconds since 1970 by Redis's clock. */
  beganS: number
}

interface Plan {
  form: Form
  perSecond: number
  isJson: boolean
  isDry: boolean
  isSure: boolean
  resume: string | undefined
}

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse('migrate', args, OPTIONS)
  if (values.help) return helped(io, HELP)
  const form = formIn(values, io)
  const { rate, resume, json: isJson, yes: isSure, 'dry-run': isDry, prefix } = values
  const perSecond = rate === undefined ? Number.POSITIVE_INFINITY : countIn('rate', rate)
  if (!isDry && !isSure && io.ask === undefined) {
    throw new CommandError('--yes is needed where nobody can be asked. --dry-run only counts.')
  }
  const plan: Plan = { form, perSecond, isJson, isDry, isSure, resume }
  const options = form.encryption === undefined ? {} : { encryption: form.encryption }
  const target = { url: urlIn(positionals), prefix, keyPrefix: values['key-prefix'], needs: NEEDS, options }
  return withStore(io, target, (store) => migrate(io, store, plan))
}

async function migrate(io: Io, store: Opened, plan: Plan): Promise<number> {
  const { form, isDry, isSure, resume } = plan
  const data: Progressed = { counted: {}, done: {}, isAgreed: isSure, beganS: await beginning(store, form) }
  const counts = isDry || !isSure
  const of = `${nameOf(form)}${isDry ? ' --dry-run' : isSure ? ' --yes' : ''}`
  const walk = new Walk(io, store, { of, rounds: counts && !isDry ? 2 : 1, resume, data })
  const state = walk.data
  const hasOnEnd = await store.within(LeaveToApplication.isNeeded(store.context))
  const migration = new Migration(store, form, { beganS: state.beganS, hasOnEnd })
  if (counts) {
    await through(io, store, plan, walk, migration, state.counted, true)
    if (walk.isStopped) return walk.stopped()
    if (isDry) return told(io, plan, state.counted)
  }
  state.isAgreed ||= await isWanted(io, store, state.counted)
  if (!state.isAgreed) return told(io, plan, { ...state.counted, migrated: 0 })
  walk.count = sumOf(state.done)
  await through(io, store, plan, walk, migration, state.done, false)
  return walk.isStopped ? walk.stopped() : told(io, plan, state.done)
}

/** Walks through all sessions, `Pace.atOnce` at a time. */
async function through(
  io: Io,
  store: Opened,
  { perSecond }: Plan,
  walk: Walk<Progressed>,
  migration: Migration,
  counts: Counts,
  isDry: boolean,
): Promise<void> {
  const pace = new Pace(perSecond, io.stop)
  await walk.round(
    (place) => store.keyspace.candidates(place),
    async (batch) => {
      for (let at = 0; at < batch.length; at += pace.atOnce) {
        const some = batch.slice(at, at + pace.atOnce)
        await pace.before(some.length)
        const outcomes = await store.within(Promise.all(some.map((storedId) => migration.run(storedId, isDry))))
        for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
        walk.count = sumOf(counts)
      }
    },
  )
}

/**
 * Resolves the time by Redis's clock, in whole seconds since 1970. If ids are to change, it waits for the next second: a
 * session says in which second it has moved, and those of this walk must be told from those of an earlier one.
 */
async function beginning({ context, within }: Opened, { hashIds }: Form): Promise<number> {
  const [server] = context.options.client.masters()
  const reply = await within(server === undefined ? Promise.resolve([0, 0]) : server.ask('time'))
  const [seconds = 0, microseconds = 0] = (reply as unknown[]).map(Number)
  if (hashIds === false) return seconds
  await sleep((1_000_000 - microseconds) / 1000)
  return seconds + 1
}

/** Asks, if there is something to do and somebody to ask. */
async function isWanted(io: Io, { prefix, address }: Opened, counts: Counts): Promise<boolean> {
  const { migrated = 0 } = counts
  if (migrated === 0 || io.ask === undefined) return false
  return io.ask(
    `Migrate ${grouped(migrated)} of ${counted(sumOf(counts), 'session')} under ${prefix} at ${address}? [y/N] `,
  )
}

function sumOf({ none: _, ...counts }: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

const OBSTACLES: Readonly<Record<Obstacle, string>> = {
  busy: 'kept changing, or cannot be moved now: call again',
  encrypted: 'encrypted with a key that --encryption-key-env does not name',
  index: 'a property of --index is no string, number or list of them',
  renewed: 'have got another id by renewSession, which connect-redis would not find',
  unreadable: 'not what this library or connect-redis writes as JSON',
}

/** Says what was done. @returns the exit code */
function told(io: Io, { isJson, isDry }: Plan, counts: Counts): number {
  const { migrated = 0, hashed = 0, 'as-wanted': asWanted = 0 } = counts
  const found = sumOf(counts)
  const reasons = Object.entries(OBSTACLES).filter(([name]) => (counts[name as Obstacle] ?? 0) > 0)
  const failed = reasons.reduce((sum, [name]) => sum + (counts[name as Obstacle] ?? 0), 0)
  if (isJson) {
    const why = Object.fromEntries(reasons.map(([name]) => [name, counts[name as Obstacle]]))
    io.out(
      jsonLine({ found, migrated, unchanged: asWanted + hashed, failed, ...(failed > 0 && { why }), dryRun: isDry }),
    )
  } else if (found === 0) {
    io.out('There is no session.\n')
  } else {
    io.out(
      `${counted(migrated, 'session')} ${isDry ? 'would be ' : ''}migrated, ${grouped(asWanted + hashed)} already in this form.\n`,
    )
    for (const [name, text] of reasons) io.out(`${grouped(counts[name as Obstacle] ?? 0)} left as they are: ${text}.\n`)
  }
  if (hashed > 0 && io.isWatched) io.err(HASHED)
  return failed > 0 || found === 0 ? EXIT.found : EXIT.fine
}

const HASHED =
  'Ids that are hashed already stay: only their visitors know what they are digests of. Each moves to the current secret at its ' +
  "visitor's next request: keep the older secret in the list of hashIds for as long as a session lives.\n"
