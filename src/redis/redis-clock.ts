import type { Client } from './client.js'
import { masterOfKey } from './master-of-key.js'

/** Milliseconds for which a reading is used. Clocks drift and are adjusted, and a failover leads to another clock. */
const KNOWN_FOR_MS = 60_000
/**
 * Maximum difference between the age of a reading by `performance.now()` and by `Date.now()`, in milliseconds. A larger
 * one means that a clock was adjusted or has stopped.
 */
const TOLERANCE_MS = 100

interface Reading {
  /** Bounds of the difference between Redis's clock and `performance.now()`, in milliseconds. */
  mostAheadMs: number
  leastAheadMs: number
  /** Time of the reading by `performance.now()`. */
  takenAt: number
  /** Time of the reading by `Date.now()`. */
  takenDate: number
}

/**
 * Estimates the time of Redis's clock, which may differ by minutes from this machine's. It learns from replies that say
 * when Redis executed a command. Each master of a Cluster has its own clock.
 */
export class RedisClock {
  readonly #client: Client
  readonly #readings = new Map<string, Reading>()

  constructor(client: Client) {
    this.#client = client
  }

  /**
   * @param key the key of the command, which determines the master
   * @param sentAt when the command was sent, by `performance.now()`. Redis executed it then or later.
   * @param redisMs Redis's clock when it executed the command, in whole milliseconds since 1970
   */
  learn(key: string, sentAt: number, redisMs: number): void {
    const takenAt = performance.now()
    const bounds = { mostAheadMs: redisMs + 1 - sentAt, leastAheadMs: redisMs - takenAt }
    this.#readings.set(masterOfKey(this.#client, key), { ...bounds, takenAt, takenDate: Date.now() })
  }

  /**
   * Returns an upper bound of Redis's clock now, in milliseconds since 1970, or undefined if it is not known. The bound
   * is too high by at most a round trip.
   *
   * @param key key of a session, which determines the master
   */
  latestMs(key: string): number | undefined {
    return this.#estimate(key, 'mostAheadMs')
  }

  /** Returns a lower bound, which is too low by at most a round trip. */
  earliestMs(key: string): number | undefined {
    return this.#estimate(key, 'leastAheadMs')
  }

  #estimate(key: string, bound: 'mostAheadMs' | 'leastAheadMs'): number | undefined {
    const reading = this.#readings.get(masterOfKey(this.#client, key))
    if (reading === undefined) return undefined
    const now = performance.now()
    const ageMs = now - reading.takenAt
    if (ageMs > KNOWN_FOR_MS) return undefined
    if (Math.abs(Date.now() - reading.takenDate - ageMs) > TOLERANCE_MS) return undefined
    return now + reading[bound]
  }
}
