import { setImmediate as nextTurn } from 'node:timers/promises'
import { SessionStoreError } from '../errors.js'
import type { Client, Link, Server } from './client.js'
import { EachMaster } from './each-master.js'
import type { Keys } from './keys.js'
import { fromRedis } from './redis-error.js'
import { SideConnection } from './side-connection.js'
import type { SideHealth } from './side-health.js'

/** Milliseconds for which the mark exists. It is written only because WAIT needs a write to wait for. */
const MARK_MS = 1000
/** Milliseconds between two looks at the masters of a Cluster, which may change. */
const LOOK_MS = 1000

/** A master that has answered, and the client's connection over which it has. */
export interface Answerer {
  server: Server
  connection: unknown
}

/**
 * Waits until replicas have received the writes made so far (WAIT).
 *
 * Redis answers nothing else on a connection that waits, so this uses an additional connection (in a Cluster, one to
 * each master). Otherwise every logout would block all requests of the process while a replica is unreachable. In the
 * replication stream, the mark comes after the writes of the client's connection, so a replica with the mark has them.
 */
export class Replicas {
  readonly #client: Client
  readonly #keys: Keys
  readonly #clientPrefix: string
  readonly #count: number
  readonly #waitMs: number
  readonly #health: SideHealth
  readonly #waiting: EachMaster<SideConnection>
  #timer: NodeJS.Timeout | undefined

  /**
   * @param count how many replicas must confirm
   * @param timeoutMs timeout of the waiting operation, of which WAIT may use half
   */
  constructor(client: Client, keys: Keys, count: number, timeoutMs: number, health: SideHealth) {
    this.#client = client
    this.#keys = keys
    this.#clientPrefix = client.keyPrefix
    this.#count = count
    this.#health = health
    // The client must not time out before Redis replies how many replicas have confirmed.
    this.#waitMs = Math.max(1, Math.floor(Math.min(timeoutMs, client.commandTimeoutMs) / 2))
    const use = { blockedMs: this.#waitMs, prepare: (link: Link) => link.ask('ping') }
    this.#waiting = new EachMaster(
      client,
      (server) => new SideConnection(client, { ...use, server: () => server }, health),
    )
  }

  /** Opens the connections in advance, so that the first logout does not wait for one. */
  open(): void {
    this.#waiting.sync()
    if (this.#client.isCluster) this.#timer = setInterval(() => this.#waiting.sync(), LOOK_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#health.close()
    this.#waiting.close()
  }

  /** Call this as soon as the master has confirmed the end of a session: another one that takes its place may still have it. */
  answeredFor(storedId: string): Answerer | undefined {
    const server = this.#masterOf(storedId)
    return server && { server, connection: server.connection }
  }

  /**
   * @param storedId stored id of a session whose end the master has confirmed
   * @param by the master; undefined: not known
   * @throws ERR_SESSION_NOT_REPLICATED
   */
  async confirm(storedId: string, by: Answerer | undefined): Promise<void> {
    const mark = this.#markOf(storedId)
    const slot = this.#waiting.slotOf(mark)
    // node-redis is ready a moment after the first reply over a new connection.
    if (by?.server.isReady === false) await nextTurn()
    if (this.#waiting.at(slot) === undefined) this.#waiting.sync()
    // In a Cluster, the slot may have moved to another master, whose replicas count then.
    const over = this.#client.isCluster ? undefined : by?.connection
    const link = await this.#waiting.at(slot)?.ready(this.#waitMs, over)
    let achieved = by !== undefined && this.#isLost(by) ? 0 : await this.#wait(link, mark)
    // The slot is moving, and another master has the mark.
    if (typeof achieved === 'string') {
      const other = await this.#waiting.named(achieved)?.ready(this.#waitMs)
      achieved = await this.#wait(other, mark, true)
    }
    if (!((achieved as number) >= this.#count)) throw notReplicated(Number(achieved) || 0, this.#count)
  }

  /** Whether a master of a Cluster may have been replaced since. */
  #isLost({ server, connection }: Answerer): boolean {
    return this.#client.isCluster && connection !== undefined && !(server.isReady && server.connection === connection)
  }

  #markOf(storedId: string): string {
    return this.#clientPrefix + this.#keys.mark(storedId, this.#clientPrefix)
  }

  #masterOf(storedId: string): Server | undefined {
    const slot = this.#waiting.slotOf(this.#markOf(storedId))
    return this.#client.masters().find((server) => slot === undefined || this.#waiting.isOwner(server, slot))
  }

  /** @returns how many replicas have confirmed, or the address of the master to ask instead */
  async #wait(link: Link | undefined, mark: string, isSent = false): Promise<number | string> {
    if (link === undefined) return 0
    try {
      const replies = await link.askAll([
        ...(isSent ? ([['asking']] as const) : []),
        ['set', mark, '', 'PX', MARK_MS],
        ['wait', this.#count, this.#waitMs],
      ])
      return Number(replies.at(-1))
    } catch (err) {
      const elsewhere = /^(?:MOVED|ASK) \d+ (\S+)$/.exec((err as Error).message)?.[1]
      if (elsewhere !== undefined && !isSent) return elsewhere
      // The link is lost, or has followed the client to another server. The session has ended all the same.
      if (!link.isReady) return 0
      throw fromRedis(err, 'WAIT', link.isReady)
    }
  }
}

function notReplicated(achieved: number, count: number): SessionStoreError {
  const known = `only ${achieved} of ${count} replicas have confirmed it: a failover may bring it back`
  return new SessionStoreError('ERR_SESSION_NOT_REPLICATED', `the session has ended, but ${known}`)
}
