import { countSessions } from '../../admin/stats.js'
import type { Budget } from '../budget.js'
import type { ResolvedAdminRouter } from '../options.js'
import { statsPage } from '../pages/stats-page.js'
import type { Route } from '../visit.js'

/** Counts the sessions, their memory and ages, and when they end. */
export function statsRoute(router: ResolvedAdminRouter, budget: Budget): Route {
  return {
    action: 'stats',
    answer: ({ res }) =>
      budget.walk(res, async (walk) => {
        const progress = ({ sessions }: { sessions: number }) => {
          walk.count = sessions
        }
        const { stats, isWhole } = await countSessions(router.access, progress, walk)
        return { json: { ...stats, complete: isWhole }, page: () => statsPage(stats, isWhole) }
      }),
  }
}
