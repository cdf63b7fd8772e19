import { identityOf } from '../hash/identity.js'
import { encodeIndexValue, type IndexEntry } from '../hash/index-fields.js'
import { handleOf } from '../ids/handle.js'
import { has } from '../indexes/find.js'
import { RecentKeys } from '../redis/recent-keys.js'
import { reading } from '../session/context.js'
import { idsOf } from '../session/continuation.js'
import { type Member, newestMembers } from '../session/index-entries.js'
import { inspectSession } from '../session/inspect.js'
import type { SessionInfo } from '../session-info.js'
import { type AdminAccess, withIndexes } from './admin-access.js'
import type { Newest } from './newest.js'

type Store = Pick<AdminAccess, 'context' | 'within'>

/** Any name will do where no index is asked for. */
const ANY_INDEX = 'user'
/** Number of index entries per read. */
const PAGE = 500
/** A long value is shown as its digest, which finds the sessions as well. */
const DIGEST = /^#[\w-]{43}$/

/** Returns the index entry of a value as pages and commands show it; undefined if it is no valid text. */
export function shownEntry(name: string, value: string): IndexEntry | undefined {
  if (value === '' || identityOf(value) === undefined) return undefined
  return { name, value: DIGEST.test(value) ? value : encodeIndexValue(name, value) }
}

/** Yields the stored ids that an index lists under a value, those that end last first, in little memory. */
export async function* idsUnder({ context, within }: Store, entry: IndexEntry): AsyncGenerator<string[]> {
  const recent = new RecentKeys()
  let place: Member | undefined
  do {
    const members: Member[] = await within((signal) => newestMembers(reading(context, signal), entry, PAGE, place))
    const ids = recent.unseen(members.flatMap(({ text }) => idsOf(text)))
    if (ids.length > 0) yield ids
    place = members.length < PAGE ? undefined : members.at(-1)
  } while (place !== undefined)
}

/** A stored id under which there is a session. */
export interface Selected {
  storedId: string
  info: SessionInfo
  /** Whether it is a string of connect-redis, so that times and indexes are not known. */
  isString: boolean
}

/**
 * Reads which of these ids are sessions, and under this index value if there is one.
 *
 * @param isListed whether the index lists the ids. A string does not say itself where it belongs
 */
export async function sessionsAmong(
  { context, within }: Store,
  storedIds: readonly string[],
  entry: IndexEntry | undefined,
  isListed = true,
): Promise<Selected[]> {
  const indexed = withIndexes(context, [entry?.name ?? ANY_INDEX])
  const found = await within((signal) => {
    const bound = reading(indexed, signal)
    return Promise.all(storedIds.map((storedId) => inspectSession(bound, storedId)))
  })
  return storedIds.flatMap((storedId, i) => {
    const inspected = found[i]
    if (!inspected) return []
    const { info, entries, isString } = inspected
    const isMeant = entry === undefined || has(entries, entry) || (isString && isListed)
    return isMeant ? [{ storedId, info, isString }] : []
  })
}

/** Adds the sessions among these ids to the newest ones. @returns how many sessions there are among them */
export async function addNewest(
  store: Store,
  newest: Newest,
  storedIds: readonly string[],
  entry: IndexEntry | undefined,
): Promise<number> {
  const found = await sessionsAmong(store, storedIds, entry)
  for (const one of found) newest.add({ storedId: one.storedId, handle: one.info.handle, seenAt: seenMs(one) })
  return found.length
}

/** When a session was last seen, in milliseconds since 1970; 0 if that is unknown. */
export function seenMs({ info, isString }: Selected): number {
  return isString ? 0 : info.seenAt.getTime()
}

/**
 * Finds the session with this handle among stored ids. That costs no command for each: a handle is computed from the
 * stored id. While a session gets another id, two stored ids may have the handle of one.
 */
export async function withHandle(
  store: Store,
  storedIds: readonly string[],
  handle: string,
): Promise<string | undefined> {
  const meant = storedIds.filter((storedId) => handleOf(storedId) === handle)
  const [one] = meant.length === 0 ? [] : await sessionsAmong(store, meant, undefined)
  return one?.storedId
}
