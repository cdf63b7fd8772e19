import { SessionStoreError } from '../errors.js'
import { isCluster, keyPrefixOf, type RedisClient, type RedisNode } from './client.js'
import { EachMaster } from './each-master.js'
import type { Keys } from './keys.js'
import { fromRedis } from './redis-error.js'
import { SideConnection } from './side-connection.js'
import type { SideHealth } from './side-health.js'

/** The mark is only written to have something to wait for. */
const MARK_MS = 1000
/** Masters of a Cluster come and go. */
const LOOK_MS = 1000

/**
 * Waits until replicas have what was written before (WAIT).
 *
 * Redis answers nothing else on a connection that waits, so it is one of its own (on a Cluster, one to each master): with a
 * replica cut off, every logout would hold up all requests of the process. What was written on the other one is before the
 * mark in the stream that the replicas get, so who has the mark has it, too.
 */
export class Replicas {
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #clientPrefix: string
  readonly #count: number
  readonly #waitMs: number
  readonly #health: SideHealth
  readonly #waiting: EachMaster<SideConnection>
  #timer: NodeJS.Timeout | undefined

  /**
   * @param count how many replicas there must be that have it
   * @param timeoutMs for the operation that waits; half of it is left for waiting
   */
  constructor(client: RedisClient, keys: Keys, count: number, timeoutMs: number, health: SideHealth) {
    this.#client = client
    this.#keys = keys
    this.#clientPrefix = keyPrefixOf(client)
    this.#count = count
    this.#health = health
    // The client must not give up before Redis says how many have it.
    this.#waitMs = Math.max(1, Math.floor(Math.min(timeoutMs, commandTimeoutOf(client)) / 2))
    const use = { blockedMs: this.#waitMs, prepare: (redis: RedisNode) => redis.ping() }
    this.#waiting = new EachMaster(client, (node) => new SideConnection(client, { ...use, node: () => node }, health))
  }

  /** In advance, so that the first logout does not wait for a connection. */
  open(): void {
    this.#waiting.sync()
    if (isCluster(this.#client)) this.#timer = setInterval(() => this.#waiting.sync(), LOOK_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#health.close()
    this.#waiting.close()
  }

  /**
   * @param storedId of a session whose end Redis has confirmed
   * @throws ERR_SESSION_NOT_REPLICATED
   */
  async confirm(storedId: string): Promise<void> {
    const mark = this.#clientPrefix + this.#keys.mark(storedId, this.#clientPrefix)
    const slot = this.#waiting.slotOf(mark)
    if (this.#waiting.at(slot) === undefined) this.#waiting.sync()
    let achieved = await this.#wait(this.#waiting.at(slot), mark)
    // The slot moves: another master answers for the mark.
    if (typeof achieved === 'string') achieved = await this.#wait(this.#waiting.named(achieved), mark, true)
    if (!((achieved as number) >= this.#count)) throw notReplicated(Number(achieved) || 0, this.#count)
  }

  /** How many have it, or the address of the master that is to be asked instead. */
  async #wait(side: SideConnection | undefined, mark: string, isSent = false): Promise<number | string> {
    const redis = await side?.ready(this.#waitMs)
    if (redis === undefined) return 0
    const sent = isSent ? redis.pipeline().asking() : redis.pipeline()
    const replies = await sent
      .set(mark, '', 'PX', MARK_MS)
      .wait(this.#count, this.#waitMs)
      .exec()
      .catch((err: unknown) => [[err, undefined]] as [unknown, unknown][])
    const failure = replies?.find(([err]) => err)?.[0]
    if (failure) {
      const elsewhere = /^(?:MOVED|ASK) \d+ (\S+)$/.exec((failure as Error).message)?.[1]
      if (elsewhere !== undefined && !isSent) return elsewhere
      throw fromRedis(failure, 'WAIT', redis.status === 'ready')
    }
    return Number(replies?.at(-1)?.[1])
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
