import { Router } from 'express'
import type { Redis } from 'ioredis'
import { describeField } from '../describe-field.js'
import { secondsSince } from '../elapsed.js'
import { FRESH_SECONDS, noteFreshness } from '../fresh-login.js'
import { showPage } from '../pages.js'
import type { SessionHistory } from '../session-history.js'
import { hasSession, RENEW_SECONDS, type ShopSessions } from '../sessions.js'
import type { Thefts } from './steal.js'

interface SessionRoutesOptions {
  client: Redis
  sessions: ShopSessions
  history: SessionHistory
  thefts: Thefts
}

/**
 * Shows the visitor's own session as Redis stores it. The key may be shown, because it is a digest; the id must not be.
 */
export function sessionRoutes({ client, sessions, history, thefts }: SessionRoutesOptions): Router {
  const { store, keyOf, cookie, deviceSeconds } = sessions
  const router = Router()
  router.get('/session', noteFreshness, async (req, res) => {
    const info = hasSession(req) ? await store.info(req.sessionID) : null
    if (!info) return showPage(res, 'session-none', { title: 'Your session' })
    const key = keyOf(req.sessionID)
    const [hash, ttlMs, bytes] = await Promise.all([
      client.hgetall(key),
      client.pttl(key),
      // Some hosted Redis servers forbid this command, and the page works without it.
      client.memory('USAGE', key).catch(() => null),
    ])
    const past = history.of(info.handle)
    showPage(res, 'session', {
      title: 'Your session',
      key,
      info,
      bytes,
      seconds: Math.ceil(ttlMs / 1000),
      fields: Object.entries(hash).map(([name, value]) => describeField(name, value)),
      past,
      loginAge: past && secondsSince(past.at),
      renewedAge: past?.renewedAt && secondsSince(past.renewedAt),
      renewEvery: RENEW_SECONDS,
      within: FRESH_SECONDS,
      verdict: req.sessionBinding?.verdict ?? 'match',
      cookieName: cookie.name,
      deviceSeconds,
      theft: thefts.of(req.session.userId),
      origin: `${req.protocol}://${req.get('host')}`,
    })
  })
  return router
}
