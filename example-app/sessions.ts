import { createHmac } from 'node:crypto'
import { promisify } from 'node:util'
import { secureSession } from 'connect-redis-hash'
import type { CookieOptions, Request } from 'express'
import type { Redis } from 'ioredis'
import './session-data.js'

export const TTL_SECONDS = 30 * 60
export const REMEMBER_MS = 30 * 24 * 60 * 60 * 1000
/** More often than the default of 15 minutes, so that a visitor can watch it. */
export const RENEW_SECONDS = 2 * 60

interface ShopSessionsOptions {
  client: Redis
  secret: string
  prefix: string
  /** false: plain HTTP, for development on this machine. */
  behindTls: boolean
}

/** The session id changes at login and from time to time, sessions are bound to their browser: all of it is in here. */
export function shopSessions({ client, secret, prefix, behindTls }: ShopSessionsOptions) {
  // One of our own, because the session page looks its key up in Redis; by default nobody ever sees it.
  const hashIds = createHmac('sha256', secret).update('session ids').digest('base64url')
  const middleware = secureSession({
    client,
    prefix,
    secret,
    hashIds,
    user: (session) => session.userId,
    // Of what was there before the login, the basket only: somebody may have planted the rest, such as a CSRF token.
    keep: ['cart'],
    // Half an hour without a request, or 30 days for those who want to stay logged in; `requireFreshLogin` makes up for it.
    preset: 'nist-aal1',
    ttl: TTL_SECONDS,
    // Readable names for the page of the user's devices.
    bind: { label: true },
    renew: { every: RENEW_SECONDS, grace: 30 },
    cookie: { secure: behindTls },
  })
  return {
    middleware,
    store: middleware.store,
    cookie: { name: behindTls ? '__Host-sid' : 'sid', secure: behindTls },
    /** A renewed id is the first one, `~`, and what is new; the key goes by the first one. */
    keyOf: (sessionId: string) =>
      prefix +
      createHmac('sha256', hashIds)
        .update(sessionId.split('~', 1)[0] as string)
        .digest('base64url'),
  }
}

export type ShopSessions = ReturnType<typeof shopSessions>

/** True once the visitor has done something worth remembering. */
export function hasSession(req: Request): boolean {
  return Object.keys(req.session).some((property) => property !== 'cookie')
}

/** Ends the session in Redis, and has the browser forget its cookie. */
export async function endSession(req: Request, { name, secure }: ShopSessions['cookie']): Promise<void> {
  await promisify(req.session.destroy.bind(req.session) as (callback: (error?: unknown) => void) => void)()
  // A browser forgets a "__Host-" cookie only when told so with the attributes it came with.
  const attributes: CookieOptions = { path: '/', httpOnly: true, sameSite: 'lax', secure }
  req.res?.clearCookie(name, attributes)
}
