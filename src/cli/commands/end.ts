import { withIndexes } from '../../admin/admin-access.js'
import { endThese } from '../../admin/end-these.js'
import { idsUnder, sessionsAmong } from '../../admin/selection.js'
import type { IndexEntry } from '../../hash/index-fields.js'
import { isHandle } from '../../ids/handle.js'
import { endSessions } from '../../indexes/destroy-by.js'
import { RecentKeys } from '../../redis/recent-keys.js'
import { helped, helpOf, RESUME_OPTION, STORE_OPTIONS } from '../command.js'
import { CommandError, EXIT, type Io } from '../io.js'
import { jsonLine, printable } from '../output/printable.js'
import { counted } from '../output/times.js'
import { type Options, parse } from '../parse.js'
import { findByHandle } from '../target/find-by-handle.js'
import { entryText } from '../target/index-text.js'
import { LeaveToApplication } from '../target/leave-to-application.js'
import { type Opened, withStore } from '../target/open-store.js'
import { SELECTION_OPTIONS, selectedEntry } from '../target/selection.js'
import { urlIn } from '../target/url-in.js'
import { Walk } from '../target/walk.js'

export const SUMMARY = 'end sessions: of a user, with an index value, one, or all'

export const OPTIONS = {
  ...SELECTION_OPTIONS,
  handle: { type: 'string', value: 'handle', help: 'this session; with --user or --index, only if it is among those' },
  all: { type: 'boolean', default: false, help: 'every session' },
  thorough: {
    type: 'boolean',
    default: false,
    help: 'look at every session, too, in case Redis has evicted the index (--user, --index)',
  },
  yes: { type: 'boolean', short: 'y', default: false, help: 'do not ask; scripts need it' },
  'dry-run': { type: 'boolean', default: false, help: 'only count' },
  ...RESUME_OPTION,
  ...STORE_OPTIONS,
} as const satisfies Options

const HELP = helpOf(
  'end <--user id | --index name=value | --handle handle | --all> [options] [url]',
  `Ends sessions: it counts them first, and asks. Their visitors are logged out at once, in every process.`,
  OPTIONS,
)

const READS = ['hmget', 'hget', 'hgetall', 'pttl', 'get', 'exists', 'zrange', 'evalsha', 'eval']
const WRITES = [
  'type',
  'del',
  'time',
  'zrem',
  'zadd',
  'zscore',
  'zrevrange',
  'zremrangebyscore',
  'pexpireat',
  'publish',
]

/** Which sessions to end. */
interface Selection {
  entry: IndexEntry | undefined
  handle: string | undefined
  isAll: boolean
  thorough: boolean
}

interface Plan extends Selection {
  isJson: boolean
  isDry: boolean
  isSure: boolean
  resume: string | undefined
}

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse('end', args, OPTIONS)
  if (values.help) return helped(io, HELP)
  const { handle, all: isAll, thorough, resume, json: isJson, yes: isSure, 'dry-run': isDry, prefix } = values
  const plan: Plan = { entry: selectedEntry(values), handle, isAll, thorough, isJson, isDry, isSure, resume }
  check(plan, io)
  const needs = plan.entry === undefined || thorough ? [...READS, ...WRITES, 'scan'] : [...READS, ...WRITES]
  const target = { url: urlIn(positionals), prefix, keyPrefix: values['key-prefix'], needs }
  return withStore(io, { ...target, options: { broadcast: !isDry } }, async (store) => {
    if (await store.within(LeaveToApplication.isNeeded(store.context))) {
      store.context.endOfLife = new LeaveToApplication(store.context)
    }
    if (plan.entry !== undefined) return endIndexed(io, store, plan, plan.entry)
    return handle === undefined ? endAll(io, store, plan) : endOne(io, store, plan, handle)
  })
}

/** @throws CommandError */
function check({ entry, handle, isAll, thorough, isDry, isSure, resume }: Plan, io: Io): void {
  if (handle !== undefined && !isHandle(handle)) throw new CommandError('--handle takes the handle of a session.')
  if (isAll && (entry !== undefined || handle !== undefined)) {
    throw new CommandError('--all ends every session: leave out --user, --index and --handle.')
  }
  if (!isAll && entry === undefined && handle === undefined) {
    throw new CommandError('Say which sessions to end: --user, --index, --handle or --all.')
  }
  if (thorough && entry === undefined) throw new CommandError('--thorough goes with --user or --index.')
  if (resume !== undefined && entry !== undefined) {
    throw new CommandError('--resume goes on with a walk through all sessions: leave out --user and --index.')
  }
  if (!isDry && !isSure && io.ask === undefined) {
    throw new CommandError('--yes is needed where nobody can be asked. --dry-run only counts.')
  }
}

/** Ends the sessions of an index value, or one of them. */
async function endIndexed(io: Io, store: Opened, plan: Plan, entry: IndexEntry): Promise<number> {
  const { handle, thorough } = plan
  const found = await countIndexed(io, store, plan, entry)
  const which = `${handle === undefined ? '' : `${handle} of `}${printable(entryText(entry))}`
  if (!(await isWanted(io, store, plan, found, which))) return told(io, plan, found, 0)
  const context = withIndexes(store.context, [entry.name])
  const ending = { except: [], handle, thorough, trustsIndex: true }
  return told(io, plan, found, await endSessions(context, store.keyspace, entry, ending, store.within))
}

/** Counts the sessions of an index value. With `--thorough` it then looks at every session. */
async function countIndexed(io: Io, store: Opened, plan: Plan, entry: IndexEntry): Promise<number> {
  let found = 0
  // While a session gets another id, it may be found under both.
  const handles = new RecentKeys()
  const add = async (batch: readonly string[], isListed: boolean) => {
    const there = await sessionsAmong(store, batch, entry, isListed)
    // Only the index says of a string where it belongs; a walk finds all others.
    const counted = plan.thorough ? there.filter(({ isString }) => isString === isListed) : there
    found += handles
      .unseen(counted.map(({ info }) => info.handle))
      .filter((handle) => plan.handle === undefined || handle === plan.handle).length
  }
  for await (const batch of idsUnder(store, entry)) await add(batch, true)
  if (!plan.thorough) return found
  const walk = new Walk(io, store, { of: 'end --thorough', resume: undefined, data: {} })
  await walk.round(
    (place) => store.keyspace.candidates(place),
    async (batch) => {
      walk.count += batch.length
      await add(batch, false)
    },
  )
  if (walk.isStopped) throw new CommandError('Stopped while counting. Nothing has been ended.', EXIT.stopped)
  return found
}

async function endOne(io: Io, store: Opened, plan: Plan, handle: string): Promise<number> {
  const walk = new Walk(io, store, { of: `end ${handle}`, resume: plan.resume, data: {} })
  const storedId = await findByHandle(store, walk, handle)
  if (storedId === undefined && walk.isStopped) return walk.stopped()
  const found = storedId === undefined ? 0 : 1
  if (storedId === undefined || !(await isWanted(io, store, plan, found, handle))) return told(io, plan, found, 0)
  return told(io, plan, found, (await endThese(store, [storedId])) > 0 ? 1 : 0)
}

/** What is known of a call with `--all` that has been stopped. */
interface Progressed {
  found: number
  ended: number
  /** Whether somebody has agreed. */
  isAgreed: boolean
}

async function endAll(io: Io, store: Opened, plan: Plan): Promise<number> {
  const data: Progressed = { found: 0, ended: 0, isAgreed: false }
  const of = plan.isDry ? 'end --all --dry-run' : 'end --all'
  const walk = new Walk(io, store, { of, rounds: plan.isDry ? 1 : 2, resume: plan.resume, data })
  const state = walk.data
  await walk.round(
    (place) => store.keyspace.candidates(place),
    async (batch) => {
      state.found += (await sessionsAmong(store, batch, undefined)).length
      walk.count = state.found
    },
  )
  if (walk.isStopped) return walk.stopped()
  state.isAgreed ||= await isWanted(io, store, plan, state.found, 'every visitor')
  if (!state.isAgreed) return told(io, plan, state.found, 0)
  walk.count = state.ended
  await walk.round(
    (place) => store.keyspace.candidates(place),
    async (batch) => {
      state.ended += await endThese(store, batch)
      walk.count = state.ended
    },
  )
  return walk.isStopped ? walk.stopped() : told(io, plan, state.found, state.ended)
}

/** Asks, if there is something to end and somebody to ask. */
async function isWanted(
  io: Io,
  { prefix, address }: Opened,
  plan: Plan,
  found: number,
  which: string,
): Promise<boolean> {
  if (plan.isDry || found === 0) return false
  if (plan.isSure || io.ask === undefined) return true
  return io.ask(`End ${counted(found, 'session')} (${which}) under ${prefix} at ${address}? [y/N] `)
}

/** Says what was done. @returns the exit code */
function told(io: Io, { isJson, isDry }: Plan, found: number, ended: number): number {
  if (isJson) io.out(jsonLine({ found, ended, dryRun: isDry }))
  else if (found === 0 && ended === 0) io.out('There is no such session.\n')
  else io.out(isDry ? `${counted(found, 'session')} would be ended.\n` : `${counted(ended, 'session')} ended.\n`)
  return ended > 0 || (isDry && found > 0) ? EXIT.fine : EXIT.found
}
