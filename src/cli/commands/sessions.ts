import { type Described, describeSession } from '../../admin/describe.js'
import { Newest, type Position } from '../../admin/newest.js'
import { addNewest, idsUnder, seenMs, sessionsAmong } from '../../admin/selection.js'
import type { IndexEntry } from '../../hash/index-fields.js'
import { handleOf, isHandle } from '../../ids/handle.js'
import { helped, helpOf, RESUME_OPTION, STORE_OPTIONS } from '../command.js'
import { CommandError, EXIT, type Io } from '../io.js'
import { jsonLine } from '../output/printable.js'
import { printTable } from '../output/table.js'
import { counted, grouped, since, until } from '../output/times.js'
import { countIn, type Options, parse } from '../parse.js'
import { findByHandle } from '../target/find-by-handle.js'
import { indexText } from '../target/index-text.js'
import { type Opened, withStore } from '../target/open-store.js'
import { SELECTION_OPTIONS, selectedEntry } from '../target/selection.js'
import { urlIn } from '../target/url-in.js'
import { Walk } from '../target/walk.js'

export const SUMMARY = 'list sessions: of a user, with an index value, or all'

export const OPTIONS = {
  ...SELECTION_OPTIONS,
  limit: { type: 'string', default: '100', value: 'number', help: 'how many to list at most (default: 100)' },
  after: { type: 'string', value: 'handle', help: 'the next page: those that come after this session' },
  all: { type: 'boolean', default: false, help: 'every session as it is found: in no order, and in little memory' },
  ...RESUME_OPTION,
  ...STORE_OPTIONS,
} as const satisfies Options

const HELP = helpOf(
  'sessions [options] [url]',
  `Lists sessions, the most recently seen first. Without --user or --index it looks at every key. It changes nothing.`,
  OPTIONS,
)

const NEEDS = ['hmget', 'hkeys', 'pttl', 'get', 'evalsha', 'eval']

interface Query {
  entry: IndexEntry | undefined
  limit: number
  after: string | undefined
  resume: string | undefined
  isJson: boolean
}

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse('sessions', args, OPTIONS)
  if (values.help) return helped(io, HELP)
  const entry = selectedEntry(values)
  const { after, resume, all, json: isJson, prefix } = values
  if (after !== undefined && !isHandle(after)) throw new CommandError('--after takes the handle of a session.')
  if (all && (entry !== undefined || after !== undefined)) {
    throw new CommandError('--all lists every session: leave out --user, --index and --after.')
  }
  if (resume !== undefined && entry !== undefined) {
    throw new CommandError('--resume goes on with a walk through all sessions: leave out --user and --index.')
  }
  const query: Query = { entry, limit: countIn('limit', values.limit), after, resume, isJson }
  const needs = entry === undefined ? [...NEEDS, 'scan'] : [...NEEDS, 'zrange']
  const target = { url: urlIn(positionals), prefix, keyPrefix: values['key-prefix'], needs }
  return withStore(io, target, (store) => (all ? listAll(io, store, query) : listNewest(io, store, query)))
}

/** Prints every session in the order of the walk. */
async function listAll(io: Io, store: Opened, { resume, isJson }: Query): Promise<number> {
  const walk = new Walk(io, store, { of: 'sessions --all', resume, data: {} })
  await walk.round(
    (place) => store.keyspace.candidates(place),
    async (batch) => {
      const found = await describeAll(store, batch)
      walk.count += found.length
      print(io, found, isJson)
    },
  )
  if (walk.isStopped) return walk.stopped()
  return walk.count > 0 ? EXIT.fine : nothing(io, store)
}

/** Prints the newest sessions of an index value, or of all. */
async function listNewest(io: Io, store: Opened, query: Query): Promise<number> {
  const { entry, limit, after, resume } = query
  const of = after === undefined ? 'sessions' : `sessions --after=${after}`
  const walk = new Walk<Begun>(io, store, { of, rounds: after === undefined ? 1 : 2, resume, data: {} })
  if (after !== undefined) walk.data.after ??= await placeOf(store, walk, query, after)
  const newest = new Newest(limit, walk.data.after)
  const add = async (batch: readonly string[]) => {
    walk.count += await addNewest(store, newest, batch, entry)
  }
  if (entry === undefined) await walk.round((place) => store.keyspace.candidates(place), add)
  else for await (const batch of idsUnder(store, entry)) await add(batch)
  const page = newest.take()
  print(
    io,
    await describeAll(
      store,
      page.map(({ storedId }) => storedId),
    ),
    query.isJson,
  )
  if (entry === undefined && walk.isStopped) return walk.stopped()
  if (newest.total > page.length && io.isWatched) {
    io.err(
      `${counted(page.length, 'session')} of ${grouped(newest.total)}. The next ones: --after=${page.at(-1)?.handle}\n`,
    )
  }
  return page.length > 0 ? EXIT.fine : nothing(io, store, entry)
}

/** Where a page begins, once it has been found: a call that goes on need not search again. */
interface Begun {
  after?: Position | undefined
}

async function placeOf(store: Opened, walk: Walk<Begun>, { entry }: Query, after: string): Promise<Begun['after']> {
  const storedId = await (entry === undefined ? findByHandle(store, walk, after) : amongIndexed(store, entry, after))
  if (storedId === undefined && entry === undefined && walk.isStopped) return undefined
  const [found] = storedId === undefined ? [] : await sessionsAmong(store, [storedId], entry)
  if (found === undefined) {
    throw new CommandError(
      '--after: this session has ended, or never was. Begin with the first page again.',
      EXIT.found,
    )
  }
  walk.count = 0
  return { handle: after, seenAt: seenMs(found) }
}

async function amongIndexed(store: Opened, entry: IndexEntry, handle: string): Promise<string | undefined> {
  for await (const batch of idsUnder(store, entry)) {
    const found = batch.find((storedId) => handleOf(storedId) === handle)
    if (found !== undefined) return found
  }
  return undefined
}

async function describeAll({ context, within }: Opened, storedIds: readonly string[]): Promise<Described[]> {
  const found = await within(Promise.all(storedIds.map((storedId) => describeSession(context, storedId))))
  return found.filter((one) => one !== null)
}

function print(io: Io, sessions: readonly Described[], isJson: boolean): void {
  if (isJson) {
    for (const session of sessions) io.out(jsonLine(session))
    return
  }
  if (sessions.length === 0) return
  const now = new Date()
  const columns = ['HANDLE', 'LAST SEEN', 'BEGAN', 'ENDS', 'INDEXES', 'CLIENT'].map((title) => ({ title }))
  printTable(
    io,
    columns,
    sessions.map((one) => [
      one.handle,
      ...(io.isTerminal
        ? [since(one.seenAt, now), since(one.createdAt, now), until(one.expiresAt, now)]
        : [one.seenAt, one.createdAt, one.expiresAt].map((at) => at?.toISOString() ?? '')),
      indexText(one),
      one.client ?? '',
    ]),
  )
}

function nothing(io: Io, { prefix, address }: Opened, entry?: IndexEntry): number {
  const which = entry === undefined ? '' : ` with this value in index ${entry.name}`
  const others = entry === undefined ? '' : ' Those that connect-redis wrote are in no index before their next request.'
  io.err(`There are no sessions${which} under ${prefix} at ${address}.${others}\n`)
  return EXIT.found
}
