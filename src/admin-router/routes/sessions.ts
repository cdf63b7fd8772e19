import { HttpError } from '../../http-error.js'
import type { Budget } from '../budget.js'
import { entryInQuery } from '../entry-asked.js'
import { listSessions, MAX_PAGE } from '../list-sessions.js'
import type { ResolvedAdminRouter } from '../options.js'
import { sessionsPage } from '../pages/sessions-page.js'
import type { Route } from '../visit.js'

/** Lists the sessions of an index value, or all, the most recently seen first. */
export function sessionsRoute(router: ResolvedAdminRouter, budget: Budget): Route {
  return {
    action: 'list',
    async answer(visit) {
      const asked = entryInQuery(router.access, visit)
      const page = pageIn(visit.query.get('page'))
      const list = await listSessions(router.access, budget, visit.res, asked?.entry, page)
      return { json: list, page: () => sessionsPage(router, visit, { asked, list }) }
    },
  }
}

/** @throws HttpError 400 */
function pageIn(text: string | null): number {
  if (text === null || text === '') return 1
  const page = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (page < 1 || page > MAX_PAGE) {
    throw new HttpError(
      400,
      `"page" must be a whole number from 1 to ${MAX_PAGE}: look for an index value to see fewer`,
    )
  }
  return page
}
