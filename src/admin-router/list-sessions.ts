import type { ServerResponse } from 'node:http'
import type { AdminAccess } from '../admin/admin-access.js'
import { type Described, describeSession } from '../admin/describe.js'
import { Newest } from '../admin/newest.js'
import { addNewest, idsUnder } from '../admin/selection.js'
import type { IndexEntry } from '../hash/index-fields.js'
import { reading } from '../session/context.js'
import type { Budget } from './budget.js'

/** Sessions on one page. */
export const PAGE_SIZE = 50
/** A longer list helps nobody: to see more, search for less. */
export const MAX_PAGE = 200

export interface SessionList {
  sessions: Described[]
  page: number
  pageSize: number
  /** How many sessions were found, on all pages. */
  total: number
  /** Whether these are all; otherwise the time was too short to look at every session. */
  complete: boolean
  hasMore: boolean
}

/**
 * Lists a page of the sessions under an index value, or of all, the most recently seen first. Holds no more in memory
 * than the pages up to this one.
 */
export async function listSessions(
  access: AdminAccess,
  budget: Budget,
  res: ServerResponse,
  entry: IndexEntry | undefined,
  page: number,
): Promise<SessionList> {
  return budget.walk(res, async (walk) => {
    const newest = new Newest(page * PAGE_SIZE)
    // An index has those first that end last, so that a walk that is cut off has seen the newest ones.
    const batches =
      entry === undefined ? access.keyspace.candidates.bind(access.keyspace) : () => idsUnder(access, entry)
    for await (const batch of walk.through(batches)) await addNewest(access, newest, batch, entry)
    const here = newest.take().slice((page - 1) * PAGE_SIZE)
    const sessions = await access.within((signal) => {
      const context = reading(access.context, signal)
      return Promise.all(here.map(({ storedId }) => describeSession(context, storedId)))
    })
    const { total } = newest
    return {
      sessions: sessions.filter((one) => one !== null),
      page,
      pageSize: PAGE_SIZE,
      total,
      complete: !walk.isCut,
      hasMore: total > page * PAGE_SIZE && page < MAX_PAGE,
    }
  })
}
