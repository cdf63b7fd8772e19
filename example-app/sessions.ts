import { createHmac } from 'node:crypto'
import { secureSession } from 'connect-redis-hash'
import type { Request } from 'express'
import type { Redis } from 'ioredis'
import './session-data.js'

const TTL_SECONDS = 30 * 60
export const REMEMBER_MS = 30 * 24 * 60 * 60 * 1000
/** Shorter than the default of 15 minutes, so that a visitor can watch it. */
export const RENEW_SECONDS = 2 * 60
/** Shorter than the default of ten minutes, for the same reason. */
export const DEVICE_SECONDS = 60

interface ShopSessionsOptions {
  client: Redis
  secret: string
  prefix: string
  /** false: plain HTTP, for development on this machine only. */
  behindTls: boolean
  deviceSeconds?: number
}

/**
 * Configures the sessions of the shop. secureSession changes the session id at login and regularly, and binds each
 * session to its browser.
 */
export function shopSessions(options: ShopSessionsOptions) {
  const { client, secret, prefix, behindTls, deviceSeconds = DEVICE_SECONDS } = options
  // The app chooses this key itself, because the session page looks up its own key in Redis. By default nobody needs to
  // know it.
  const hashIds = createHmac('sha256', secret).update('session ids').digest('base64url')
  const middleware = secureSession({
    client,
    prefix,
    secret,
    hashIds,
    user: (session) => session.userId,
    // A login keeps only the basket. An attacker may have planted the rest, such as a CSRF token.
    keep: ['cart'],
    // Sessions end after half an hour without a request, or after 30 days if the user stays logged in.
    // `requireFreshLogin` compensates for the longer time.
    preset: 'nist-aal1',
    ttl: TTL_SECONDS,
    // The list of devices needs readable names.
    bind: { label: true, ...(behindTls && { trustProxy: isThisMachine }) },
    renew: { every: RENEW_SECONDS, grace: 30 },
    cookie: { secure: behindTls },
    // Browsers bind sessions to their device over TLS only.
    device: behindTls && { every: deviceSeconds },
    // The page "Activity" of Admin shows how many sessions and users there were, and when.
    activity: true,
  })
  return {
    middleware,
    store: middleware.store,
    deviceSeconds,
    cookie: { name: behindTls ? '__Host-sid' : 'sid', secure: behindTls },
    /**
     * Returns the Redis key of a session. It depends on the first part of the id only; renewals append to the id after
     * a `~`.
     */
    keyOf: (sessionId: string) =>
      prefix +
      createHmac('sha256', hashIds)
        .update(sessionId.split('~', 1)[0] as string)
        .digest('base64url'),
  }
}

export type ShopSessions = ReturnType<typeof shopSessions>

/** Whether this is an address of the machine itself, where the TLS proxy runs. */
export function isThisMachine(address: string): boolean {
  return /^(?:::ffff:)?127\.|^::1$/.test(address)
}

/** Whether the session holds anything, that is, the visitor has done something worth remembering. */
export function hasSession(req: Request): boolean {
  return Object.keys(req.session).some((property) => property !== 'cookie')
}
