import type { RedisClient } from './client.js'
import { masterOfKey } from './master-of-key.js'

/** Clocks drift, are set, and a failover brings another one: what is known of one is soon out of date. */
const KNOWN_FOR_MS = 60_000
/** By how much this machine's two clocks may disagree about how long ago something was: more, and one of them was set, or stood still. */
const TOLERANCE_MS = 100

interface Reading {
  /** What Redis's clock was ahead of `performance.now()`, at most: milliseconds. */
  aheadMs: number
  /** Of `performance.now()`, and of `Date.now()`. */
  takenAt: number
  takenDate: number
}

/**
 * What Redis's clock says, which may be minutes off from this machine's: learnt from replies that tell when Redis carried out a command.
 * Each master of a Cluster has its own.
 */
export class RedisClock {
  readonly #client: RedisClient
  readonly #readings = new Map<string, Reading>()

  constructor(client: RedisClient) {
    this.#client = client
  }

  /**
   * @param key of the command
   * @param sentAt when the command was sent, of `performance.now()`: Redis's clock was what it tells later than that, or just then
   * @param redisMs what Redis's clock was when it carried the command out, in whole milliseconds
   */
  learn(key: string, sentAt: number, redisMs: number): void {
    const reading = { aheadMs: redisMs + 1 - sentAt, takenAt: performance.now(), takenDate: Date.now() }
    this.#readings.set(masterOfKey(this.#client, key), reading)
  }

  /**
   * Milliseconds since 1970 that Redis's clock does not go beyond now; undefined if that is not known. It is late by a round trip.
   *
   * @param key of a session: whoever serves it is meant
   */
  latestMs(key: string): number | undefined {
    const reading = this.#readings.get(masterOfKey(this.#client, key))
    if (reading === undefined) return undefined
    const now = performance.now()
    const ageMs = now - reading.takenAt
    if (ageMs > KNOWN_FOR_MS) return undefined
    if (Math.abs(Date.now() - reading.takenDate - ageMs) > TOLERANCE_MS) return undefined
    return now + reading.aheadMs
  }
}
