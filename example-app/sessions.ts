import { promisify } from 'node:util'
import { RedisStore } from 'connect-redis-hash'
import type { Request, Response } from 'express'
import session from 'express-session'
import type { Redis } from 'ioredis'
import './session-data.js'

export const COOKIE_NAME = 'shop.sid'
export const TTL_SECONDS = 30 * 60
export const REMEMBER_MS = 30 * 24 * 60 * 60 * 1000

export function sessions(client: Redis, secret: string, prefix: string) {
  const store = new RedisStore({ client, prefix, ttl: TTL_SECONDS })
  const middleware = session({
    store,
    secret,
    name: COOKIE_NAME,
    resave: false,
    // Whoever only looks around gets no cookie and takes no room in Redis.
    saveUninitialized: false,
    // No maxAge: the cookie ends with the browser, and Redis ends the session 30 minutes after its last request.
    cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto' },
  })
  return { store, middleware }
}

/** True once the visitor has done something worth remembering. */
export function hasSession(req: Request): boolean {
  return Object.keys(req.session).some((property) => property !== 'cookie')
}

function save(req: Request): Promise<void> {
  return promisify(req.session.save.bind(req.session) as (callback: (error?: unknown) => void) => void)()
}

export function regenerate(req: Request): Promise<void> {
  return promisify(req.session.regenerate.bind(req.session) as (callback: (error?: unknown) => void) => void)()
}

export function destroy(req: Request): Promise<void> {
  return promisify(req.session.destroy.bind(req.session) as (callback: (error?: unknown) => void) => void)()
}

/**
 * Browsers follow a redirect when its headers arrive, which is before express-session has saved: the next page would
 * then not show what this request has just changed.
 */
export async function saveAndRedirect(res: Response, to: string): Promise<void> {
  await save(res.req)
  res.redirect(303, to)
}
