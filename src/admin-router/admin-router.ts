import type { Middleware } from '../middleware/session-request.js'
import { buildRouter } from './build-router.js'
import { LIMITS } from './limits.js'
import type { AdminRouterOptions } from './options.js'

/**
 * Pages, and JSON for programs, with which administrators find, see and end sessions. Mount it at a path of its own:
 * `app.use('/admin/sessions', adminRouter({ store, authorize: (req) => isAdmin(req) && req.user.id }))`. It needs no
 * session of its own. docs/admin.md lists the paths.
 *
 * WARNING: everybody whom `authorize` admits can log all users out, and see who is logged in.
 *
 * @throws TypeError for unknown or malformed options
 */
export function adminRouter(options: AdminRouterOptions): Middleware {
  return buildRouter(options, LIMITS)
}
