import { type RedisStore, sessionRouter } from 'connect-redis-hash'
import type { Request, RequestHandler, Response } from 'express'
import { flash } from '../flash.js'
import { FRESH_SECONDS } from '../fresh-login.js'
import { via } from '../local-path.js'
import { showPage } from '../pages.js'

export const DEVICES = '/account/sessions'

/**
 * Shows where the user is logged in, in the shop's own design. To end a session, users must retype their password if
 * their login is not fresh.
 */
export function deviceRoutes(store: RedisStore): RequestHandler {
  return sessionRouter({
    store,
    within: FRESH_SECONDS,
    render: (page, _req, res) => showPage(res as Response, 'devices', { title: page.texts.title, ...page }),
    // The shop's own policy forbids frames, too, and allows its script.
    contentSecurityPolicy: false,
    onStale(req, res) {
      flash(req as Request, 'confirm-first')
      ;(res as Response).redirect(303, via('/confirm', DEVICES))
    },
  })
}
