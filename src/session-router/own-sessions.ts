import type { SessionInfo } from '../session/inspect.js'
import type { AnyRedisStore } from '../store.js'

/** How many sessions a page shows. */
const MOST_SHOWN = 50

/** What a user may know of one of their sessions: no id, no key, nothing of what it holds. */
export interface OwnSession extends Pick<SessionInfo, 'handle' | 'createdAt' | 'seenAt' | 'client'> {
  /** Whether it is the session that asks. */
  current: boolean
}

export interface OwnSessions {
  /** The one that asks first, then the others, last seen first. */
  sessions: OwnSession[]
  /** How many there are besides, or thereabouts. */
  more: number
}

/**
 * Looks only at what is shown. ZRANGE, and HMGET for each of them and for the one that asks; ZCOUNT where there may be more.
 */
export async function ownSessions(store: AnyRedisStore, user: string | number, sid: string): Promise<OwnSessions> {
  const [found, own] = await Promise.all([store.findBy('user', user, { limit: MOST_SHOWN }), store.info(sid)])
  const others = found.filter(({ handle }) => handle !== own?.handle)
  others.sort((a, b) => Number(b.seenAt) - Number(a.seenAt))
  // The page may be of another user than the one whose session asks.
  const isOwn = others.length < found.length || own?.indexes.user?.includes(String(user))
  const sessions = own && isOwn ? [own, ...others].slice(0, MOST_SHOWN) : others
  const more = found.length < MOST_SHOWN ? 0 : Math.max(0, (await store.countBy('user', user)) - sessions.length)
  return { sessions: sessions.map((info) => shown(info, info === own)), more }
}

function shown({ handle, createdAt, seenAt, client }: SessionInfo, current: boolean): OwnSession {
  return { handle, createdAt, seenAt, current, ...(client !== undefined && { client }) }
}
