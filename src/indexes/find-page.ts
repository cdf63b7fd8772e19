import type { IndexEntry } from '../hash/index-fields.js'
import { handleOf } from '../ids/handle.js'
import { checkNames } from '../known-options.js'
import type { Context } from '../session/context.js'
import { type Member, newestMembers } from '../session/index-entries.js'
import type { SessionInfo } from '../session-info.js'
import { dropGone, findAmong } from './find.js'

export interface FindByOptions {
  /** How many sessions at most. Default 100. */
  limit?: number | undefined
  /**
   * The last session of the page before, or its handle, for the page behind it. With the very object that `findBy` gave, pages go on
   * where they were whatever has come, gone or been used meanwhile. A handle has to be looked for, and that of a session that has
   * ended is a TypeError.
   */
  after?: SessionInfo | string | undefined
}

const FIND_BY: Record<keyof FindByOptions, 0> = { limit: 0, after: 0 }
const LIMIT = 100
/** How many entries of an index are read at a time. */
const MOST_READ = 1000

export interface Page {
  limit: number
  after: SessionInfo | string | undefined
}

/** @throws TypeError that names the option */
export function checkedFindBy(options: FindByOptions): Page {
  checkNames('findBy', options, FIND_BY, "findBy('user', id, { limit: 20 })")
  const { limit = LIMIT, after } = options
  if (!Number.isSafeInteger(limit) || limit < 1) throw new TypeError('"limit" option must be a whole number from 1 on')
  if (after !== undefined && typeof handleIn(after) !== 'string') {
    throw new TypeError('"after" option must be the last session of the page before, or its handle')
  }
  return { limit, after }
}

/** Where each SessionInfo that was handed out stands in the index: known also when its session has gone since, or moved up. */
const PLACES = new WeakMap<object, Member>()

/**
 * One page of the sessions that are to be found there, in the order of the index: those that end last come first. If one page has
 * all of them, those seen last come first. Entries of sessions that are gone are dropped.
 */
export async function findPage(context: Context, entry: IndexEntry, { limit, after }: Page): Promise<SessionInfo[]> {
  const infos: SessionInfo[] = []
  const handles = new Set<string>()
  let place = after === undefined ? undefined : (PLACES.get(after as object) ?? (await placeOf(context, entry, after)))
  let isMore = true
  while (isMore && infos.length < limit) {
    const most = Math.min(limit - infos.length, MOST_READ)
    const members = await newestMembers(context, entry, most, place)
    const found = await findAmong(context, members, entry)
    await dropGone(context, found, entry)
    for (const { info, isGone: _, ...member } of found) {
      // Where a process has stopped while a session was getting another id, it may be named twice.
      if (info === null || handles.has(info.handle)) continue
      handles.add(info.handle)
      PLACES.set(info, member)
      infos.push(info)
    }
    place = members.at(-1) ?? place
    isMore = members.length === most
  }
  if (after !== undefined || isMore) return infos
  // In this order, what follows none of them is what follows all of them.
  for (const info of infos) PLACES.set(info, place as Member)
  return infos.sort((a, b) => Number(b.seenAt) - Number(a.seenAt))
}

/** Walks the index for a handle, which is not in it, but costs no command to be made of what is. */
async function placeOf(context: Context, entry: IndexEntry, after: SessionInfo | string): Promise<Member> {
  const handle = handleIn(after)
  let place: Member | undefined
  for (;;) {
    const members = await newestMembers(context, entry, MOST_READ, place)
    const found = members.find(({ storedId }) => handleOf(storedId) === handle)
    if (found !== undefined) return found
    place = members.at(-1)
    if (place === undefined || members.length < MOST_READ) break
  }
  throw new TypeError('"after" option names no session of this value any more: begin with the first page again')
}

function handleIn(after: SessionInfo | string): unknown {
  return typeof after === 'string' ? after : (after as Partial<SessionInfo> | null)?.handle
}
