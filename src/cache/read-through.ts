import type { StoredIds } from '../ids/id-mapper.js'
import { isTraced } from '../operations.js'
import type { Server } from '../redis/client.js'
import type { Context, SessionCache } from '../session/context.js'
import { firstOf } from '../session/first-found.js'
import { decodeOrAnnounce, isArriving, loadedFrom, loadSession, loadString } from '../session/load.js'
import { type LastingHash, readLasting } from '../session/read-hash.js'
import type { Loaded } from '../session/session-record.js'
import { type CachedSession, cachedSession, sessionOf } from './cached-session.js'
import type { Keep, NearCache } from './near-cache.js'

/** Loads sessions for requests, from the near cache if possible. Only sessions under their current id are cached. */
export class ReadThrough implements SessionCache {
  readonly #context: Context
  readonly #near: NearCache
  readonly #served = new WeakSet<object>()

  constructor(context: Context, near: NearCache) {
    this.#context = context
    this.#near = near
  }

  async load(storedIds: StoredIds, isUsable: (cached: Loaded) => boolean): Promise<Loaded | null> {
    const currentId = storedIds[0]
    const cached = this.#near.find(this.#context.keys.session(currentId))
    const reopened = cached && (await this.#reopened(currentId, cached))
    const known = reopened && isUsable(reopened) ? reopened : undefined
    if (known === undefined) this.#near.count(false)
    else this.countHit(known.session)
    const loaded = known ?? (await this.#loadAnew(storedIds))
    if (loaded !== null) loaded.record.storedIds = storedIds
    return loaded
  }

  loadAtOnce(storedIds: StoredIds): Loaded | undefined {
    const currentId = storedIds[0]
    const cached = this.#near.find(this.#context.keys.session(currentId))
    const loaded = cached && this.#reopened(currentId, cached)
    if (loaded === undefined || loaded instanceof Promise) return undefined
    loaded.record.storedIds = storedIds
    return loaded
  }

  countHit(session: object): void {
    this.#near.count(true)
    if (isTraced()) this.#served.add(session)
  }

  hasServed(session: unknown): boolean {
    return typeof session === 'object' && session !== null && this.#served.has(session)
  }

  /** Restores a cached session; undefined if the serializer can no longer read it. */
  #reopened(storedId: string, cached: CachedSession): Loaded | undefined | Promise<Loaded | undefined> {
    try {
      const opened = sessionOf(cached, this.#context.options.serializer)
      if (!(opened instanceof Promise)) return loadedFrom(storedId, cached, opened)
      return opened.then(
        (session) => loadedFrom(storedId, cached, session),
        () => this.#unreadable(storedId),
      )
    } catch {
      return this.#unreadable(storedId)
    }
  }

  #unreadable(storedId: string): undefined {
    this.#near.forget(this.#context.keys.session(storedId))
  }

  #loadAnew(storedIds: StoredIds): Promise<Loaded | null> {
    const [currentId] = storedIds
    return firstOf(storedIds, (storedId) =>
      storedId === currentId ? this.#loadCurrent(storedId) : loadSession(this.#context, storedId),
    )
  }

  #loadCurrent(storedId: string): Promise<Loaded | null> {
    const context = this.#context
    const key = context.keys.session(storedId)
    const reading = this.#near.read(key, (server, keep) => readAt(context, storedId, server, keep))
    if (reading === undefined) return loadSession(context, storedId)
    return reading.then((read) => (read === undefined ? loadSession(context, storedId) : read.loaded))
  }
}

/**
 * Reads a session from one server. undefined if that server of a Cluster does not have the key; the client then finds the
 * right one.
 */
async function readAt(
  context: Context,
  storedId: string,
  server: Server,
  keep: Keep,
): Promise<{ loaded: Loaded | null } | undefined> {
  let reply: LastingHash
  try {
    reply = await readLasting(context, storedId, server)
  } catch (err) {
    if (context.options.client.isCluster) return undefined
    throw err
  }
  const { fields, leftMs } = reply
  if (fields === null) return { loaded: await loadString(context, storedId) }
  if (fields.length === 0) return { loaded: null }
  const decoded = await decodeOrAnnounce(context, storedId, fields)
  if (decoded === null) return { loaded: isArriving(fields) ? await loadSession(context, storedId) : null }
  const cached = isTold(context, decoded.meta.isKept) ? cachedSession(decoded) : null
  if (cached !== null && leftMs !== undefined) keep(cached, leftMs)
  return { loaded: loadedFrom(storedId, decoded, decoded.session) }
}

/**
 * Whether the TTL of the key is the time that the session has left. It is not if another process keeps ended sessions
 * for its `onEnd`, and this process has no `onEnd`.
 */
function isTold({ endOfLife }: Context, isKept: boolean): boolean {
  return !isKept || endOfLife !== undefined
}
