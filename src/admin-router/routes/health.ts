import { HealthCheck } from '../health.js'
import type { ResolvedAdminRouter } from '../options.js'
import { healthPage } from '../pages/health-page.js'
import type { Route } from '../visit.js'

/** What doctor says about each server, and what this process has counted. */
export function healthRoute({ access }: ResolvedAdminRouter): Route {
  const check = new HealthCheck(access)
  return {
    action: 'health',
    async answer() {
      const health = await check.read()
      return { json: health, page: () => healthPage(health) }
    },
  }
}
