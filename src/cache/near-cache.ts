import { LRUCache } from 'lru-cache'
import type { NearCacheLimits } from '../options.js'
import type { Client, Server } from '../redis/client.js'
import type { SideHealth } from '../redis/side-health.js'
import type { CachedSession } from './cached-session.js'
import { type KeyLocation, TrackedNodes } from './tracked-nodes.js'

/** Counters of the near cache since the store was made. */
export interface CacheStats {
  /** Number of sessions that the cache served without asking Redis. */
  hits: number
  /** Number of reads that went to Redis, including those of sessions that do not exist. */
  misses: number
  /** Number of sessions that the cache holds now. */
  entries: number
}

interface Entry {
  session: CachedSession
  location: KeyLocation
  /** When the entry expires, by `performance.now()`. */
  until: number
  hasServed: boolean
}

/** A read that has been sent and whose result may be cached. */
export interface Read {
  readonly key: string
  readonly location: KeyLocation
  readonly sentAt: number
  /** Whether the key may have changed since the read was sent; the result then serves this request only. */
  isOutdated: boolean
}

/**
 * Keeps loaded sessions in this process for as long as Redis reports every change to it.
 *
 * A read may become an entry if it was sent while that was proven (tracked-node.ts), and if no change of the key has
 * been reported since: reports and replies use two connections and arrive in any order. An entry is dropped when Redis
 * reports a change of its key, when this process writes the key, and when the session's TTL ends. All are dropped when
 * a connection is lost.
 */
export class NearCache {
  readonly #entries: LRUCache<string, Entry>
  /**
   * Sessions that have changed before their entry has served anybody: to cache them costs more than it saves. Such a session
   * is cached again when it is read twice without a change in between.
   */
  readonly #restless: LRUCache<string, { wasRead: boolean }>
  readonly #reads = new Map<string, Set<Read>>()
  readonly #nodes: TrackedNodes
  readonly #maxAgeMs: number
  readonly #health: SideHealth
  #hits = 0
  #misses = 0

  /**
   * @param prefix prefix of session keys
   * @param health health of the connections on which Redis reports changes
   * @param onRefused called once, if Redis refuses to report changes
   */
  constructor(
    client: Client,
    prefix: string,
    { max, maxAgeMs }: NearCacheLimits,
    health: SideHealth,
    onRefused: (why: string) => void,
  ) {
    this.#entries = new LRUCache({ max })
    this.#restless = new LRUCache({ max })
    this.#maxAgeMs = maxAgeMs
    this.#health = health
    const { keyPrefix } = client
    let hasWarned = false
    this.#nodes = new TrackedNodes(client, keyPrefix, prefix, {
      changed: (keys) => {
        if (keys === null) return this.#forgetAll()
        for (const key of keys) this.forget(key.toString().slice(keyPrefix.length))
      },
      lost: () => this.#forgetAll(),
      refused: (why) => {
        if (!hasWarned) onRefused(why)
        hasWarned = true
      },
      down: (who, why) => health.down(who, why),
      up: (who) => health.up(who),
    })
  }

  get stats(): CacheStats {
    return { hits: this.#hits, misses: this.#misses, entries: this.#entries.size }
  }

  find(key: string): CachedSession | undefined {
    const entry = this.#entries.get(key)
    if (entry !== undefined) {
      const now = performance.now()
      if (now >= entry.until) this.#entries.delete(key)
      else if (this.#nodes.isProven(entry.location, now)) {
        entry.hasServed = true
        return entry.session
      }
    }
    return undefined
  }

  /** @param isHit false: Redis was asked */
  count(isHit: boolean): void {
    if (isHit) this.#hits += 1
    else this.#misses += 1
  }

  /**
   * Reads a key at its own server. The session that `work` passes to `keep` is cached.
   *
   * @returns undefined, without a read, if its result could not be cached, or is not worth it
   */
  read<T>(key: string, work: (server: Server, keep: Keep) => Promise<T>): Promise<T> | undefined {
    if (this.#isRestless(key)) return undefined
    const sentAt = performance.now()
    const location = this.#nodes.locate(key, sentAt)
    if (location === undefined) return undefined
    const read: Read = { key, location, sentAt, isOutdated: false }
    const reads = this.#reads.get(key) ?? new Set()
    this.#reads.set(key, reads.add(read))
    return work(location.node.data, (session, leftMs) => this.#keep(read, session, leftMs)).finally(() => {
      reads.delete(read)
      if (reads.size === 0 && this.#reads.get(key) === reads) this.#reads.delete(key)
    })
  }

  /** Whether a session changes too often to be cached at this read. */
  #isRestless(key: string): boolean {
    const since = this.#restless.get(key)
    if (since?.wasRead === false) {
      since.wasRead = true
      return true
    }
    this.#restless.delete(key)
    return false
  }

  /** Drops the entry of a key that has changed or is about to change. */
  forget(key: string): void {
    const entry = this.#entries.peek(key)
    const since = this.#restless.peek(key)
    if (entry !== undefined) this.#entries.delete(key)
    if (since !== undefined) since.wasRead = false
    else if (entry?.hasServed === false) this.#restless.set(key, { wasRead: false })
    for (const read of this.#reads.get(key) ?? []) read.isOutdated = true
  }

  close(): void {
    this.#health.close()
    this.#nodes.close()
    this.#forgetAll()
    this.#restless.clear()
  }

  #keep({ key, location, sentAt, isOutdated }: Read, session: CachedSession, leftMs: number): void {
    // Count from the time the read was sent, which is earlier than the time for which Redis reported the TTL.
    const until = sentAt + Math.min(leftMs, this.#maxAgeMs)
    if (!isOutdated && performance.now() < until) {
      this.#entries.set(key, { session, location, until, hasServed: false })
    }
  }

  #forgetAll(): void {
    this.#entries.clear()
    for (const reads of this.#reads.values()) for (const read of reads) read.isOutdated = true
  }
}

/**
 * Caches a session.
 *
 * @param leftMs milliseconds that the session had left when Redis read it; Infinity: it does not expire
 */
export type Keep = (session: CachedSession, leftMs: number) => void
