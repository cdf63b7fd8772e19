import { handleOf } from '../redis/sid.js'
import { BOOKKEEPING_FIELD, type Bookkeeping, expiresAtMs, parseBookkeeping } from './bookkeeping.js'
import type { Context } from './context.js'
import { fieldOf, isProperty } from './field-name.js'
import { firstOf } from './first-of.js'
import { decodeOrAnnounce, isAbsent, loadSession } from './load.js'
import type { SessionRecord } from './session-record.js'

/** What is known of a session besides its properties. */
export interface SessionInfo {
  /** Public name, safe to show; not accepted as a session id. */
  handle: string
  createdAt: Date
  /** When its expiry was last refreshed: at most `touchInterval` behind its last request. */
  seenAt: Date
  /** When it ends if nobody uses it; null if it never does (`disableTTL`). */
  expiresAt: Date | null
}

export function infoOf(context: Context, storedId: string, meta: Bookkeeping): SessionInfo {
  const { disableTTL, absoluteMs } = context.options
  return {
    handle: handleOf(storedId),
    createdAt: new Date(meta.createdAtMs),
    seenAt: new Date(meta.seenAtMs),
    expiresAt: disableTTL ? null : new Date(expiresAtMs(meta, absoluteMs)),
  }
}

/** HMGET, one command; of a string that connect-redis wrote, PTTL tells what there is to tell. */
export async function readInfo(context: Context, storedId: string): Promise<SessionInfo | null> {
  const reply = await context.gateway.hmget(context.keys.session(storedId), [BOOKKEEPING_FIELD])
  if (reply === null) return stringInfo(context, storedId)
  const meta = parseBookkeeping(reply[0])
  return meta === null || isAbsent(context, meta) ? null : infoOf(context, storedId, meta)
}

/** Nobody wrote down when connect-redis made the session: it counts as made now, as it will when it is converted. */
async function stringInfo(context: Context, storedId: string): Promise<SessionInfo | null> {
  if ((await loadSession(context, storedId)) === null) return null
  const left = await context.gateway.pttl(context.keys.session(storedId))
  if (left === -2) return null
  const now = new Date()
  const expiresAt = left < 0 ? null : new Date(now.getTime() + left)
  return { handle: handleOf(storedId), createdAt: now, seenAt: now, expiresAt }
}

/** Whether a session is still the one that was loaded: not ended, and not another one under the same id. */
export async function isLive({ gateway, keys }: Context, { storedIds, origin }: SessionRecord): Promise<boolean> {
  const found = await firstOf(storedIds, async (storedId) => {
    const reply = await gateway.hmget(keys.session(storedId), [BOOKKEEPING_FIELD])
    if (reply === null) return origin.kind === 'string' ? true : null
    const meta = parseBookkeeping(reply[0])
    if (meta === null || meta.isArriving) return null
    return origin.kind === 'string' || meta.created === origin.meta.created ? true : null
  })
  return found !== null
}

/** Some properties of a session, without the rest and without prolonging it: HMGET, one command. */
export async function readProperties(
  context: Context,
  storedId: string,
  properties: readonly string[],
): Promise<Record<string, unknown> | null> {
  const fields = [BOOKKEEPING_FIELD, ...properties.filter(isProperty).map(fieldOf)]
  const texts = await context.gateway.hmget(context.keys.session(storedId), fields)
  if (texts === null) {
    const loaded = await loadSession(context, storedId)
    return loaded && Object.fromEntries(Object.entries(loaded.session).filter(([name]) => properties.includes(name)))
  }
  if (texts[0] == null) return null
  const present = fields.flatMap((field, i) => (texts[i] == null ? [] : [field, texts[i]]))
  const decoded = await decodeOrAnnounce(context, storedId, present)
  if (decoded === null) return null
  delete decoded.session.cookie
  return decoded.session
}
