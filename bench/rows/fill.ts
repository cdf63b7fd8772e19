import type { Redis } from 'ioredis'
import { sidOf } from '../contents.js'

const BATCH = 2000
/** Number of sessions per user. */
export const EACH = 4

/**
 * Writes sessions of other users directly, in the format of the store: a million sessions written through the store
 * would take a quarter of an hour.
 *
 * @param template bookkeeping field of a session that the store has written; without it, sessions are strings like
 *   those of connect-redis
 */
export async function fill(
  db: Redis,
  count: number,
  template: string | undefined,
  onProgress: (done: number) => void,
): Promise<void> {
  const ends = Date.now() + 1_800_000
  for (let at = 0; at < count; at += BATCH) {
    const pipeline = db.pipeline()
    for (let i = at; i < Math.min(at + BATCH, count); i++) {
      const userId = `other-${Math.floor(i / EACH)}`
      const key = `sess:${sidOf(i)}`
      if (template === undefined) {
        const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
        pipeline.set(key, JSON.stringify({ cookie, userId, name: 'Ada', visits: 17 }), 'PXAT', ends)
        continue
      }
      const fields = ['@', template, 'userId', `"${userId}"`, 'name', '"Ada"', 'visits', '17', '@i:user', userId]
      pipeline.hset(key, ...fields).pexpireat(key, ends)
      pipeline.zadd(`idx:sess:user:${userId}`, ends, sidOf(i)).pexpireat(`idx:sess:user:${userId}`, ends)
    }
    await pipeline.exec()
    onProgress(Math.min(at + BATCH, count))
  }
}
