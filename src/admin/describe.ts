import { INDEX_FIELD_PREFIX } from '../hash/bookkeeping.js'
import { isIndexField } from '../hash/index-fields.js'
import type { Context } from '../session/context.js'
import { inspectSession } from '../session/inspect.js'
import type { SessionInfo } from '../session-info.js'
import { withIndexes } from './admin-access.js'

/** What is known of a session, whatever indexes the application has. */
export interface Described extends Omit<SessionInfo, 'createdAt' | 'seenAt'> {
  /** null: connect-redis wrote the session, and does not tell. */
  createdAt: Date | null
  seenAt: Date | null
  format?: 'connect-redis'
}

/**
 * Reads a session with HKEYS, PTTL and HMGET; null if there is none. The TTL of its key tells what options the
 * application has: `absoluteTimeout`, `disableTTL`.
 */
export async function describeSession(context: Context, storedId: string): Promise<Described | null> {
  const { gateway, keys } = context
  const key = keys.session(storedId)
  const [fields, ttl] = await Promise.all([gateway.hkeys(key), gateway.pttl(key)])
  const names = (fields ?? []).filter(isIndexField).map((field) => field.slice(INDEX_FIELD_PREFIX.length))
  const inspected = await inspectSession(
    withIndexes(
      context,
      names.filter((name) => !name.includes('.')),
    ),
    storedId,
  )
  if (inspected === null || ttl === -2) return null
  const { info } = inspected
  const indexes = Object.fromEntries(Object.entries(info.indexes).filter(([, values]) => values.length > 0))
  const expiresAt = ttl < 0 || info.expiresAt === null ? null : earlier(info.expiresAt, new Date(Date.now() + ttl))
  if (fields !== null) return { ...info, indexes, expiresAt }
  return { ...info, createdAt: null, seenAt: null, indexes, expiresAt, format: 'connect-redis' }
}

const earlier = (a: Date, b: Date) => (a < b ? a : b)
