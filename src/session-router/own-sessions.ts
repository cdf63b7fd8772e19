import type { SessionInfo } from '../record/inspect.js'
import type { RedisStore } from '../store.js'

/** What a user may know of a session of his: no id, no key, nothing of what it holds. */
export interface OwnSession extends Pick<SessionInfo, 'handle' | 'createdAt' | 'seenAt' | 'client'> {
  /** Whether it is the session that asks. */
  current: boolean
}

/** The one that asks first, then the others, last seen first. ZRANGE, and HMGET for each and for the one that asks. */
export async function ownSessions(store: RedisStore, user: string | number, sid: string): Promise<OwnSession[]> {
  const [infos, own] = await Promise.all([store.findBy('user', user), store.info(sid)])
  const sessions = infos.map(({ handle, createdAt, seenAt, client }) => {
    return { handle, createdAt, seenAt, current: handle === own?.handle, ...(client !== undefined && { client }) }
  })
  return sessions.sort((a, b) => Number(b.current) - Number(a.current))
}
