import type { SessionInfo } from '../session-info.js'
import type { AnyRedisStore } from '../store.js'

/** How many sessions a page shows. */
const MAX_SHOWN = 50

/** What users may see of one of their sessions: no id, no key, and none of its data. */
export interface OwnSession extends Pick<SessionInfo, 'handle' | 'createdAt' | 'seenAt' | 'client'> {
  /** Whether it is bound to a device; left out if it is not. */
  deviceBound?: true
  /** Whether it is the session of this request. */
  current: boolean
}

export interface OwnSessions {
  /** The session of this request first, then the others, most recently seen first. */
  sessions: OwnSession[]
  /** Approximate number of further sessions. */
  more: number
}

/**
 * Reads only the sessions that are shown. Redis commands: ZRANGE, one HMGET for each session and for that of the
 * request; ZCOUNT if there may be more.
 */
export async function ownSessions(store: AnyRedisStore, user: string | number, sid: string): Promise<OwnSessions> {
  const [found, own] = await Promise.all([store.findBy('user', user, { limit: MAX_SHOWN }), store.info(sid)])
  const others = found.filter(({ handle }) => handle !== own?.handle)
  others.sort((a, b) => Number(b.seenAt) - Number(a.seenAt))
  // A `user` option may name another user than the one this session belongs to.
  const isOwn = others.length < found.length || own?.indexes.user?.includes(String(user))
  const sessions = own && isOwn ? [own, ...others].slice(0, MAX_SHOWN) : others
  const more = found.length < MAX_SHOWN ? 0 : Math.max(0, (await store.countBy('user', user)) - sessions.length)
  return { sessions: sessions.map((info) => shown(info, info === own)), more }
}

function shown({ handle, createdAt, seenAt, client, deviceBound }: SessionInfo, current: boolean): OwnSession {
  const bound = deviceBound ? { deviceBound } : {}
  return { handle, createdAt, seenAt, current, ...(client !== undefined && { client }), ...bound }
}
