import type { RedisStore } from 'connect-redis-hash'
import { Router } from 'express'
import type { Redis } from 'ioredis'
import { describeField } from '../describe-field.js'
import { showPage } from '../pages.js'
import { hasSession } from '../sessions.js'

interface SessionRoutesOptions {
  client: Redis
  store: RedisStore
  prefix: string
}

/** The visitor's own session as Redis holds it. Neither the id nor the key is shown: whoever has it, is logged in. */
export function sessionRoutes({ client, store, prefix }: SessionRoutesOptions): Router {
  const router = Router()
  router.get('/session', async (req, res) => {
    const info = hasSession(req) ? await store.info(req.sessionID) : null
    if (!info) return showPage(res, 'session-none', { title: 'Your session' })
    const key = prefix + req.sessionID
    const [hash, ttlMs, bytes] = await Promise.all([
      client.hgetall(key),
      client.pttl(key),
      // Some hosted Redis servers forbid it; the page can do without.
      client.memory('USAGE', key).catch(() => null),
    ])
    const fields = Object.entries(hash).map(([name, value]) => describeField(name, value))
    showPage(res, 'session', { title: 'Your session', info, fields, seconds: Math.ceil(ttlMs / 1000), bytes })
  })
  return router
}
