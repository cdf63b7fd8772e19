import { SessionStoreError } from '../errors.js'
import type { Client, Link, Server } from './client.js'
import { EachMaster } from './each-master.js'
import type { Keys } from './keys.js'
import { fromRedis } from './redis-error.js'
import { runIdOf } from './run-id.js'
import { SideConnection } from './side-connection.js'
import type { SideHealth } from './side-health.js'

/** Milliseconds for which the mark exists. It is written only because WAIT needs a write to wait for. */
const MARK_MS = 1000
/** Milliseconds between two looks at the masters of a Cluster, which may change. */
const LOOK_MS = 1000

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
    this.#waiting = new EachMaster(client, (server) => {
      const use = {
        server: () => server,
        // A client that connects again may be led to another server, by a Sentinel for example. A Cluster has another
        // server for that.
        mayStay: (_server: Server, beside: unknown) =>
          client.isCluster || !server.isReady || server.connection === beside,
        prepare: (link: Link) => expectAt(server, link),
        blockedMs: this.#waitMs,
      }
      return new SideConnection(client, use, health)
    })
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

  /**
   * @param storedId stored id of a session whose end the master has confirmed
   * @throws ERR_SESSION_NOT_REPLICATED
   */
  async confirm(storedId: string): Promise<void> {
    const mark = this.#clientPrefix + this.#keys.mark(storedId, this.#clientPrefix)
    const slot = this.#waiting.slotOf(mark)
    if (this.#waiting.at(slot) === undefined) this.#waiting.sync()
    let achieved = await this.#wait(this.#waiting.at(slot), mark)
    // The slot is moving, and another master has the mark.
    if (typeof achieved === 'string') achieved = await this.#wait(this.#waiting.named(achieved), mark, true)
    if (!((achieved as number) >= this.#count)) throw notReplicated(Number(achieved) || 0, this.#count)
  }

  /** @returns how many replicas have confirmed, or the address of the master to ask instead */
  async #wait(side: SideConnection | undefined, mark: string, isSent = false): Promise<number | string> {
    const link = await side?.ready(this.#waitMs)
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
      throw fromRedis(err, 'WAIT', link.isReady)
    }
  }
}

/** @throws if the link has reached another server, whose replicas would confirm what they do not have */
async function expectAt(server: Server, link: Link): Promise<void> {
  const unknown = () => undefined
  // For a client that is not connected, the link is made again once it is.
  const asked = [link, ...(server.isReady ? [server] : [])].map((one) => runIdOf(one).catch(unknown))
  const known = (await Promise.all(asked)).filter((runId) => runId !== undefined)
  if (new Set(known).size > 1)
    throw new SessionStoreError('ERR_SESSION_UNAVAILABLE', 'it has reached another server than the client')
}

function notReplicated(achieved: number, count: number): SessionStoreError {
  const known = `only ${achieved} of ${count} replicas have confirmed it: a failover may bring it back`
  return new SessionStoreError('ERR_SESSION_NOT_REPLICATED', `the session has ended, but ${known}`)
}
