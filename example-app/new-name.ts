import type { RedisStore } from 'connect-redis-hash'
import type { RequestHandler } from 'express'
import type { Flash } from './flash.js'
import type { SessionHistory } from './session-history.js'

const RENAMING: readonly Flash[] = ['signed-up', 'logged-in', 'confirmed']

/** On the page after a login, shows the session's public name before and after it. */
export function showNewName(store: RedisStore, history: SessionHistory): RequestHandler {
  return async (req, res, next) => {
    if (req.method === 'GET' && req.session.flash?.some((message) => RENAMING.includes(message))) {
      const info = await store.info(req.sessionID)
      const past = info && history.of(info.handle)
      if (past) res.locals.newName = { before: past.previousHandle, now: info.handle }
    }
    next()
  }
}
