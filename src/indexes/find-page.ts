import type { IndexEntry } from '../hash/index-fields.js'
import { handleOf } from '../ids/handle.js'
import { checkNames } from '../known-options.js'
import type { Context } from '../session/context.js'
import { type Member, newestMembers } from '../session/index-entries.js'
import type { SessionInfo } from '../session-info.js'
import { dropGone, findAmong } from './find.js'

export interface FindByOptions {
  /** Maximum number of sessions in the page, 1 or more. Default 100. */
  limit?: number | undefined
  /**
   * The last session of the previous page, or its handle; the result is the next page. Default: the first page. Pass
   * the object that `findBy` returned: the next page then begins at the right place even if sessions were added, ended
   * or used meanwhile. The store must search for a handle, and the handle of a session that has ended causes a
   * TypeError.
   */
  after?: SessionInfo | string | undefined
}

const FIND_BY: Record<keyof FindByOptions, 0> = { limit: 0, after: 0 }
const LIMIT = 100
/** Number of index entries per read. */
const MAX_READ = 1000

export interface Page {
  limit: number
  after: SessionInfo | string | undefined
}

/** @throws TypeError that names the invalid option */
export function checkedFindBy(options: FindByOptions): Page {
  checkNames('findBy', options, FIND_BY, "findBy('user', id, { limit: 20 })")
  const { limit = LIMIT, after } = options
  if (!Number.isSafeInteger(limit) || limit < 1) throw new TypeError('"limit" option must be a whole number from 1 on')
  if (after !== undefined && typeof handleIn(after) !== 'string') {
    throw new TypeError('"after" option must be the last session of the page before, or its handle')
  }
  return { limit, after }
}

/** The index position of each returned SessionInfo. It stays known if the session ends or moves up in the index. */
const PLACES = new WeakMap<object, Member>()

/**
 * Returns one page of the sessions under an index value, in index order: the sessions that expire last come first.
 * If one page holds all of them, the most recently seen come first instead. Drops entries whose session is gone.
 */
export async function findPage(context: Context, entry: IndexEntry, { limit, after }: Page): Promise<SessionInfo[]> {
  const infos: SessionInfo[] = []
  const handles = new Set<string>()
  let place = after === undefined ? undefined : (PLACES.get(after as object) ?? (await placeOf(context, entry, after)))
  let isMore = true
  while (isMore && infos.length < limit) {
    const most = Math.min(limit - infos.length, MAX_READ)
    const members = await newestMembers(context, entry, most, place)
    const found = await findAmong(context, members, entry)
    await dropGone(context, found, entry)
    for (const { info, isGone: _, ...member } of found) {
      // If a process stopped while it gave a session another id, the index may list the session twice.
      if (info === null || handles.has(info.handle)) continue
      handles.add(info.handle)
      PLACES.set(info, member)
      infos.push(info)
    }
    place = members.at(-1) ?? place
    isMore = members.length === most
  }
  if (after !== undefined || isMore) return infos
  // All sessions are on this page and now in another order. Whichever of them is passed as `after`, the next page
  // starts behind all of them.
  for (const info of infos) PLACES.set(info, place as Member)
  return infos.sort((a, b) => Number(b.seenAt) - Number(a.seenAt))
}

/**
 * Searches the index for a handle. The index does not hold handles, but they are computed from its stored ids
 * without further commands.
 */
async function placeOf(context: Context, entry: IndexEntry, after: SessionInfo | string): Promise<Member> {
  const handle = handleIn(after)
  let place: Member | undefined
  for (;;) {
    const members = await newestMembers(context, entry, MAX_READ, place)
    const found = members.find(({ storedId }) => handleOf(storedId) === handle)
    if (found !== undefined) return found
    place = members.at(-1)
    if (place === undefined || members.length < MAX_READ) break
  }
  throw new TypeError('"after" option names no session of this value any more: begin with the first page again')
}

function handleIn(after: SessionInfo | string): unknown {
  return typeof after === 'string' ? after : (after as Partial<SessionInfo> | null)?.handle
}
