import { describeSession } from '../../admin/describe.js'
import { propertiesJson, propertiesOf } from '../../admin/properties.js'
import type { Budget } from '../budget.js'
import { entryInQuery } from '../entry-asked.js'
import { locate, noSession } from '../locate.js'
import type { ResolvedAdminRouter } from '../options.js'
import { sessionPage } from '../pages/session-page.js'
import type { Route } from '../visit.js'

/** Shows one session: times, client, indexes, names and sizes of its properties, and the values that may be shown. */
export function showRoute(router: ResolvedAdminRouter, budget: Budget): Route {
  const { access, showValue } = router
  return {
    action: 'show',
    async answer(visit) {
      const asked = entryInQuery(access, visit)
      const storedId = await locate(access, budget, visit.res, visit.handle, asked?.entry)
      const session = await access.within(describeSession(access.context, storedId))
      if (session === null) throw noSession()
      const properties = (await propertiesOf(access, storedId)).map((one) => ({ ...one, isShown: showValue(one.name) }))
      const shown = new Set(properties.filter(({ isShown }) => isShown).map(({ name }) => name))
      return {
        json: { ...session, ...propertiesJson(properties, (name) => shown.has(name)) },
        page: () => sessionPage(router, visit, { asked, session, properties }),
      }
    },
  }
}
