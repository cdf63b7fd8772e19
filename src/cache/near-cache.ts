import { LRUCache } from 'lru-cache'
import type { NearCacheLimits } from '../options.js'
import { keyPrefixOf, type RedisClient, type RedisNode } from '../redis/client.js'
import type { SideHealth } from '../redis/side-health.js'
import type { CachedSession } from './cached-session.js'
import { type Home, TrackedNodes } from './tracked-nodes.js'

/** How the near cache does, since the store was made. */
export interface CacheStats {
  /** Sessions that were served without asking Redis. */
  hits: number
  /** Sessions, or what was none, that Redis was asked for. */
  misses: number
  /** Sessions that are held now. */
  entries: number
}

interface Entry {
  session: CachedSession
  home: Home
  /** Of `performance.now()`. */
  until: number
}

/** A read that is under way, and what may be made of its answer. */
export interface Read {
  readonly key: string
  readonly home: Home
  readonly sentAt: number
  /** The key may have changed since: the answer is one for this request only. */
  isOutdated: boolean
}

/**
 * Sessions as they were loaded, kept in this process for as long as Redis would tell of every change.
 *
 * An entry is made of a read that was sent while that was proven (tracked-node.ts), and only if nothing has been heard of the key since it
 * was sent: news and answer come over two connections, in any order. It is dropped when Redis tells that the key has
 * changed, when this process writes it, and when the session ends by its TTL; all of them when a connection is lost.
 */
export class NearCache {
  readonly #entries: LRUCache<string, Entry>
  readonly #reads = new Map<string, Set<Read>>()
  readonly #nodes: TrackedNodes
  readonly #maxAgeMs: number
  readonly #health: SideHealth
  #hits = 0
  #misses = 0

  /**
   * @param prefix of sessions
   * @param health of the connections on which Redis tells what changes
   * @param onRefused called once, if Redis will not tell what changes
   */
  constructor(
    client: RedisClient,
    prefix: string,
    { max, maxAgeMs }: NearCacheLimits,
    health: SideHealth,
    onRefused: (why: string) => void,
  ) {
    this.#entries = new LRUCache({ max })
    this.#maxAgeMs = maxAgeMs
    this.#health = health
    const keyPrefix = keyPrefixOf(client)
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
      else if (this.#nodes.isProven(entry.home, now)) {
        return entry.session
      }
    }
    return undefined
  }

  /** @param isHit false: Redis has been asked */
  count(isHit: boolean): void {
    if (isHit) this.#hits += 1
    else this.#misses += 1
  }

  /**
   * Has a key read at its own server; what `keep` is given then, is found from then on.
   *
   * @returns undefined, without having read, if nothing could be kept
   */
  async read<T>(key: string, work: (node: RedisNode, keep: Keep) => Promise<T>): Promise<T | undefined> {
    const sentAt = performance.now()
    const home = this.#nodes.homeOf(key, sentAt)
    if (home === undefined) return undefined
    const read: Read = { key, home, sentAt, isOutdated: false }
    const reads = this.#reads.get(key) ?? new Set()
    this.#reads.set(key, reads.add(read))
    try {
      return await work(home.node.data, (session, leftMs) => this.#keep(read, session, leftMs))
    } finally {
      reads.delete(read)
      if (reads.size === 0 && this.#reads.get(key) === reads) this.#reads.delete(key)
    }
  }

  /** The key has changed, or is about to. */
  forget(key: string): void {
    this.#entries.delete(key)
    for (const read of this.#reads.get(key) ?? []) read.isOutdated = true
  }

  close(): void {
    this.#health.close()
    this.#nodes.close()
    this.#forgetAll()
  }

  #keep({ key, home, sentAt, isOutdated }: Read, session: CachedSession, leftMs: number): void {
    // By the time it was sent, which is not later than the one at which Redis counted what is left.
    const until = sentAt + Math.min(leftMs, this.#maxAgeMs)
    if (!isOutdated && performance.now() < until) this.#entries.set(key, { session, home, until })
  }

  #forgetAll(): void {
    this.#entries.clear()
    for (const reads of this.#reads.values()) for (const read of reads) read.isOutdated = true
  }
}

/** @param leftMs that the session still lived when Redis read it; Infinity: it has no end */
export type Keep = (session: CachedSession, leftMs: number) => void
