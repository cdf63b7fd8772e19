import type { Redis } from 'ioredis'
import { sidOf } from '../contents.js'

const BATCH = 2000
/** Number of sessions per user. */
export const EACH = 4
const LIFETIME_MS = 1_800_000

type Properties = Record<string, unknown>

/** A session, and the commands that write it. */
interface Filling {
  from?: number
  to: number
  /** Bookkeeping field of a session that the store has written; without it, sessions are strings like those of connect-redis. */
  template: string | undefined
  /** The session of a user. */
  content?: (userId: string) => Properties
}

const SMALL = (userId: string): Properties => ({ userId, name: 'Ada', visits: 17 })

/**
 * Writes sessions of other users directly, in the format of the store: a million sessions written through the store
 * would take a quarter of an hour.
 */
export async function fill(
  db: Redis,
  { from = 0, to, template, content = SMALL }: Filling,
  onProgress: (done: number) => void,
): Promise<void> {
  const ends = Date.now() + LIFETIME_MS
  for (let at = from; at < to; at += BATCH) {
    const pipeline = db.pipeline()
    for (let i = at; i < Math.min(at + BATCH, to); i++) {
      const userId = `other-${Math.floor(i / EACH)}`
      const key = `sess:${sidOf(i)}`
      if (template === undefined) {
        const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
        pipeline.set(key, JSON.stringify({ cookie, ...content(userId) }), 'PXAT', ends)
        continue
      }
      const properties = Object.entries(content(userId)).map(([name, value]) => [name, JSON.stringify(value)])
      pipeline.hset(key, '@', template, ...properties.flat(), '@i:user', userId).pexpireat(key, ends)
      pipeline.zadd(`idx:sess:user:${userId}`, ends, sidOf(i)).pexpireat(`idx:sess:user:${userId}`, ends)
    }
    await pipeline.exec()
    onProgress(Math.min(at + BATCH, to))
  }
}

/** Returns the bookkeeping field of a session that the store has just written. Empties the database. */
export async function templateOf(db: Redis): Promise<string> {
  const [key] = await db.keys('sess:*')
  const template = await db.hget(key as string, '@')
  await db.flushdb()
  if (template === null) throw new Error('the store has written no bookkeeping')
  return template
}
