import { Keyspace } from '../admin/keyspace.js'
import { sendStyle } from '../pages/responses.js'
import { Budget } from './budget.js'
import type { Limits } from './limits.js'
import { OPENAPI } from './openapi.js'
import type { ResolvedAdminRouter } from './options.js'
import { activityRoute } from './routes/activity.js'
import { endRoutes } from './routes/end.js'
import { eventsRoute } from './routes/events.js'
import { healthRoute } from './routes/health.js'
import { sessionsRoute } from './routes/sessions.js'
import { showRoute } from './routes/show.js'
import { statsRoute } from './routes/stats.js'
import { STYLE } from './style.js'
import type { Route } from './visit.js'

/** COUNT argument of SCAN: somebody waits for the walk, and each reply is a round trip. */
const SCAN_COUNT = 500

/** The routes, by method and path below the router's own path. */
export function routesOf(given: ResolvedAdminRouter, limits: Limits): ReadonlyMap<string, Route> {
  const { context, within } = given.access
  const options = { ...context.options, scanCount: Math.max(SCAN_COUNT, context.options.scanCount) }
  const keyspace = new Keyspace({ ...context, options }, within)
  const router = { ...given, access: { ...given.access, keyspace } }
  const budget = new Budget(limits, router.access)
  return new Map<string, Route>([
    ['GET /', { action: undefined, answer: () => ({ json: { openapi: 'openapi.json' }, next: 'sessions' }) }],
    ['GET /style.css', { action: undefined, answer: ({ res }) => ({ stream: () => sendStyle(res, STYLE) }) }],
    ['GET /openapi.json', { action: undefined, answer: () => ({ json: OPENAPI, isJsonOnly: true }) }],
    ['GET /sessions', sessionsRoute(router, budget)],
    ['GET /sessions/:handle', showRoute(router, budget)],
    ...endRoutes(router, budget, limits),
    ['GET /stats', statsRoute(router, budget)],
    ['GET /activity', activityRoute(router)],
    ['GET /events', eventsRoute(router, limits)],
    ['GET /health', healthRoute(router)],
  ])
}
