import { SessionStoreError } from '../errors.js'
import { keyPrefixOf, type RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { fromRedis } from './redis-error.js'

/** The mark is only written to have something to wait for. */
const MARK_MS = 1000

/**
 * Waits until replicas have what was written before (WAIT).
 *
 * Redis answers nothing else on a connection that waits, so it is one of its own: with a replica cut off, every logout
 * would hold up all requests of the process. What was written on the other one is before the mark in the stream that the
 * replicas get, so who has the mark has it, too.
 */
export class Replicas {
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #clientPrefix: string
  readonly #count: number
  readonly #waitMs: number
  #waiting: RedisClient | undefined

  /**
   * @param count how many replicas there must be that have it
   * @param timeoutMs for the operation that waits; half of it is left for waiting
   */
  constructor(client: RedisClient, keys: Keys, count: number, timeoutMs: number) {
    this.#client = client
    this.#keys = keys
    this.#clientPrefix = keyPrefixOf(client)
    this.#count = count
    // The client must not give up before Redis says how many have it.
    this.#waitMs = Math.max(1, Math.floor(Math.min(timeoutMs, commandTimeoutOf(client)) / 2))
  }

  /** In advance, so that the first logout does not wait for a connection. */
  open(): void {
    const waiting = (this.#client as { duplicate(): RedisClient }).duplicate()
    // Without a listener ioredis prints every failed connection; it goes on trying.
    waiting.on('error', () => undefined)
    if (waiting.status === 'wait') waiting.connect().catch(() => undefined)
    this.#waiting = waiting
  }

  close(): void {
    this.#waiting?.disconnect()
    this.#waiting = undefined
  }

  /**
   * @param storedId of a session whose end Redis has confirmed
   * @throws ERR_SESSION_NOT_REPLICATED
   */
  async confirm(storedId: string): Promise<void> {
    if (this.#waiting === undefined) throw notReplicated(0, this.#count)
    const mark = this.#keys.mark(storedId, this.#clientPrefix)
    // In one go: on a Cluster, WAIT itself names no key, and would be sent to any node.
    const sent = this.#waiting.pipeline().set(mark, '', 'PX', MARK_MS).wait(this.#count, this.#waitMs)
    const replies = await sent.exec().catch((err: unknown) => [[err, undefined]])
    for (const [err] of replies ?? []) if (err) throw fromRedis(err, 'WAIT', this.#waiting?.status === 'ready')
    const achieved = Number(replies?.[1]?.[1])
    if (!(achieved >= this.#count)) throw notReplicated(achieved || 0, this.#count)
  }
}

function commandTimeoutOf(client: RedisClient): number {
  const { commandTimeout, redisOptions } = client.options as Timeouts & { redisOptions?: Timeouts }
  return commandTimeout || redisOptions?.commandTimeout || Number.POSITIVE_INFINITY
}

interface Timeouts {
  commandTimeout?: number
}

function notReplicated(achieved: number, count: number): SessionStoreError {
  const known = `only ${achieved} of ${count} replicas have confirmed it: a failover may bring it back`
  return new SessionStoreError('ERR_SESSION_NOT_REPLICATED', `the session has ended, but ${known}`)
}
