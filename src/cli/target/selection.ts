import { identityOf } from '../../hash/identity.js'
import { encodeIndexValue, type IndexEntry } from '../../hash/index-fields.js'
import { has } from '../../indexes/find.js'
import { reading } from '../../session/context.js'
import { idsOf } from '../../session/continuation.js'
import { type Member, newestMembers } from '../../session/index-entries.js'
import { inspectSession } from '../../session/inspect.js'
import type { SessionInfo } from '../../session-info.js'
import { CommandError } from '../io.js'
import type { Options } from '../parse.js'
import { type Opened, withIndexes } from './open-store.js'

export const SELECTION_OPTIONS = {
  user: { type: 'string', value: 'id', help: 'sessions of this user: short for --index user=<id>' },
  index: { type: 'string', value: 'name=value', help: 'sessions with this value in an index of the application' },
} as const satisfies Options

const INDEX = /^([A-Za-z]\w{0,31})=(.+)$/s
/** Any name will do where no index is asked for. */
const ANY_INDEX = 'user'
/** Number of index entries per read. */
const PAGE = 500

/**
 * Returns the index value that the options select; undefined if they select none.
 *
 * @throws CommandError
 */
export function selectedEntry({ user, index }: { user?: string; index?: string }): IndexEntry | undefined {
  if (user !== undefined && index !== undefined) throw new CommandError('Give --user or --index, not both.')
  if (user === '') throw new CommandError('--user takes the id of a user.')
  if (user !== undefined) return entryOf('user', user, 'user')
  if (index === undefined) return undefined
  const [, name, value] = INDEX.exec(index) ?? []
  if (name === undefined || value === undefined) {
    throw new CommandError('--index takes name=value, for example --index tenant=acme.')
  }
  return entryOf(name, value, 'index')
}

function entryOf(name: string, value: string, option: string): IndexEntry {
  if (identityOf(value) === undefined) throw new CommandError(`--${option}: the value is no valid text.`)
  // A long value is shown as its digest, which finds the sessions as well.
  return { name, value: /^#[\w-]{43}$/.test(value) ? value : encodeIndexValue(name, value) }
}

/** Yields the stored ids that an index lists under a value, each once. */
export async function* idsUnder({ context, within }: Opened, entry: IndexEntry): AsyncGenerator<string[]> {
  const seen = new Set<string>()
  let place: Member | undefined
  do {
    const members: Member[] = await within((signal) => newestMembers(reading(context, signal), entry, PAGE, place))
    const ids = members.flatMap(({ text }) => idsOf(text)).filter((id) => !seen.has(id))
    for (const id of ids) seen.add(id)
    if (ids.length > 0) yield [...new Set(ids)]
    place = members.length < PAGE ? undefined : members.at(-1)
  } while (place !== undefined)
}

/** Reads which of these ids are sessions, and under this index value if there is one. */
export async function sessionsAmong(
  { context, within }: Opened,
  storedIds: readonly string[],
  entry: IndexEntry | undefined,
): Promise<{ storedId: string; info: SessionInfo; isString: boolean }[]> {
  const indexed = withIndexes(context, [entry?.name ?? ANY_INDEX])
  const found = await within((signal) => {
    const bound = reading(indexed, signal)
    return Promise.all(storedIds.map((storedId) => inspectSession(bound, storedId)))
  })
  return storedIds.flatMap((storedId, i) => {
    const inspected = found[i]
    if (!inspected || (entry !== undefined && !has(inspected.entries, entry))) return []
    // The info of a string that connect-redis wrote has no indexes; any other has those that were asked for.
    const isString = Object.keys(inspected.info.indexes).length === 0
    return [{ storedId, info: inspected.info, isString }]
  })
}
