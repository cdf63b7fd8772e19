import type { StoredIds } from '../ids/sid.js'
import { isCluster, type RedisNode } from '../redis/client.js'
import type { Context } from '../session/context.js'
import { firstOf } from '../session/first-found.js'
import {
  decodeOrAnnounce,
  isLeaving,
  type Loaded,
  loadedFrom,
  loadFirst,
  loadSession,
  loadString,
} from '../session/load.js'
import { type LastingHash, readLasting } from '../session/read-hash.js'
import { type CachedSession, cachedSession, sessionOf } from './cached-session.js'
import type { Keep, NearCache } from './near-cache.js'

/**
 * The session under whichever of its possible stored ids, for a request: out of the near cache, if there is one that has it.
 * Only what is under the current id is cached.
 */
export function loadThrough(context: Context, storedIds: StoredIds): Promise<Loaded | null> {
  const { cache } = context
  return cache === undefined ? loadFirst(context, storedIds) : loadCached(context, cache, storedIds)
}

async function loadCached(context: Context, cache: NearCache, storedIds: StoredIds): Promise<Loaded | null> {
  const { keys } = context
  const home = storedIds[0]
  const cached = cache.find(keys.session(home))
  const known = cached && (await reopened(context, home, cached))
  cache.count(known !== undefined)
  const loaded = known ?? (await loadAnew(context, cache, storedIds))
  if (loaded !== null) loaded.record.storedIds = storedIds
  return loaded
}

/** The same in this very call; undefined if that cannot be. */
export function loadAtOnce(context: Context, storedIds: StoredIds): Loaded | undefined {
  const { cache, keys } = context
  const home = storedIds[0]
  const cached = home === undefined ? undefined : cache?.find(keys.session(home))
  if (cache === undefined || home === undefined || cached === undefined) return undefined
  const loaded = reopened(context, home, cached)
  if (loaded === undefined || loaded instanceof Promise) return undefined
  loaded.record.storedIds = storedIds
  return loaded
}

/** undefined if the serializer cannot read today what it could read before. */
function reopened(
  context: Context,
  storedId: string,
  cached: CachedSession,
): Loaded | undefined | Promise<Loaded | undefined> {
  try {
    const opened = sessionOf(cached, context.options.serializer)
    if (!(opened instanceof Promise)) return loadedFrom(storedId, cached, opened)
    return opened.then(
      (session) => loadedFrom(storedId, cached, session),
      () => unreadable(context, storedId),
    )
  } catch {
    return unreadable(context, storedId)
  }
}

function unreadable(context: Context, storedId: string): undefined {
  context.cache?.forget(context.keys.session(storedId))
}

function loadAnew(context: Context, cache: NearCache, storedIds: StoredIds): Promise<Loaded | null> {
  const find = async (storedId: string) => {
    if (storedId !== storedIds[0]) return loadSession(context, storedId)
    const read = await cache.read(context.keys.session(storedId), (node, keep) => readAt(context, storedId, node, keep))
    return read === undefined ? loadSession(context, storedId) : read.loaded
  }
  return firstOf(storedIds, find, isLeaving)
}

/** undefined if this server of a Cluster does not answer for the key: ioredis then finds the one that does. */
async function readAt(
  context: Context,
  storedId: string,
  node: RedisNode,
  keep: Keep,
): Promise<{ loaded: Loaded | null } | undefined> {
  let reply: LastingHash
  try {
    reply = await readLasting(context, storedId, node)
  } catch (err) {
    if (isCluster(context.options.client)) return undefined
    throw err
  }
  const { fields, leftMs } = reply
  if (fields === null) return { loaded: await loadString(context, storedId) }
  if (fields.length === 0) return { loaded: null }
  const decoded = await decodeOrAnnounce(context, storedId, fields)
  if (decoded === null) return { loaded: null }
  const cached = isTold(context, decoded.meta.isKept) ? cachedSession(decoded) : null
  if (cached !== null && leftMs !== undefined) keep(cached, leftMs)
  return { loaded: loadedFrom(storedId, decoded, decoded.session) }
}

/** Where other processes keep sessions for their `onEnd` and this one has none, what is left of the key's TTL is not the session's. */
function isTold({ options }: Context, isKept: boolean): boolean {
  return !isKept || options.onEnd !== undefined
}
