import { type RedisStore, sessionRouter } from 'connect-redis-hash'
import type { Request, RequestHandler, Response } from 'express'
import { flash } from '../flash.js'
import { FRESH_SECONDS } from '../fresh-login.js'
import { via } from '../local-path.js'

export const DEVICES = '/account/sessions'

/**
 * Shows where the user is logged in. To end a session, users must retype their password if their login is not fresh.
 */
export function deviceRoutes(store: RedisStore): RequestHandler {
  return sessionRouter({
    store,
    within: FRESH_SECONDS,
    back: '/account',
    onStale(req, res) {
      flash(req as Request, 'confirm-first')
      ;(res as Response).redirect(303, via('/confirm', DEVICES))
    },
  })
}
