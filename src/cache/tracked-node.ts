import type { Server } from '../redis/client.js'
import { runIdOf } from '../redis/run-id.js'
import { TrackingConnection, TrackingRefused } from './tracking-connection.js'

/** Milliseconds between two PINGs on the tracking connection. */
export const HEARTBEAT_MS = 250
/**
 * Milliseconds for which a PONG proves that changes are reported, counted from the PING. Without proof, nothing is
 * served from the cache.
 */
export const LEASE_MS = 1000
/** After this many heartbeats without an answer, the connection is given up. */
const MAX_MISSED = LEASE_MS / HEARTBEAT_MS
const OPEN_MS = 3000
/** Milliseconds until the first retry. The wait doubles with each further failure, up to MAX_RETRY_MS. */
const RETRY_MS = 500
const MAX_RETRY_MS = 2000
const REFUSED_RETRY_MS = 30_000
/**
 * Maximum number of times in a row that the tracking connection reaches another server. A failover explains fewer, a
 * load balancer more.
 */
const MAX_STRANGERS = 5

export interface NodeNews {
  /** Reports changed keys, with all prefixes; null: any key may have changed. */
  changed(keys: readonly Buffer[] | null): void
  /** Reports that changes at this node may have been missed. */
  lost(): void
  /** Reports that the server refuses tracking. */
  refused(why: string): void
  /** Reports that the tracking connection is lost, or cannot be made. */
  down(who: object, why: unknown): void
  /** Reports that tracking works, or is no longer needed. */
  up(who: object): void
}

/**
 * One server that sessions are read from, and whether it is proven to report every change to us.
 *
 * The proof is a PING on the tracking connection: Redis sends its answer after the reports of all earlier changes. The
 * proof holds for LEASE_MS from the moment the PING was sent. It needs no timer that fires in time: a process that was
 * suspended finds the proof expired. It holds only for the connection over which sessions are read, and only if both
 * connections reach the same server process, because after a failover they may reach different ones.
 */
export class TrackedNode {
  readonly data: Server
  readonly #prefix: string
  readonly #news: NodeNews
  readonly #isServing: (data: Server) => Promise<boolean>
  #connection: TrackingConnection | undefined
  /** The client's connection to the server when tracking began. */
  #dataConnection: unknown
  #isOn = false
  #provenUntil = Number.NEGATIVE_INFINITY
  #provenUntilDate = 0
  #isAsking = false
  #missed = 0
  #retryAt = 0
  #strangers = 0
  #failures = 0

  /**
   * @param data the client's connection to this server
   * @param isServing whether the server, apart from being reachable, would answer reads
   */
  constructor(data: Server, prefix: string, news: NodeNews, isServing: (data: Server) => Promise<boolean>) {
    this.data = data
    this.#prefix = prefix
    this.#news = news
    this.#isServing = isServing
  }

  /** @param now the current `performance.now()` */
  isProven(now: number): boolean {
    // The monotonic clock stops while a virtual machine is suspended, so the wall clock is compared as well.
    return now < this.#provenUntil && this.#isSameData() && Date.now() < this.#provenUntilDate
  }

  /** Opens, checks or replaces the tracking connection. Call it every HEARTBEAT_MS. */
  tick(): void {
    const connection = this.#connection
    if (connection === undefined) {
      const mayOpen = this.data.isReady && !this.data.isClosedByCaller && performance.now() >= this.#retryAt
      if (mayOpen) void this.#open()
      return
    }
    if (!this.#isOn) return
    if (!this.#isSameData()) this.#lose(connection, 0)
    else if (!this.#isAsking) void this.#ask(connection)
    else if (++this.#missed >= MAX_MISSED) this.#fail(connection, `nothing came for ${LEASE_MS} ms`)
  }

  close(): void {
    this.#retryAt = Number.POSITIVE_INFINITY
    if (this.#connection !== undefined) this.#lose(this.#connection, Number.POSITIVE_INFINITY)
    this.#news.up(this)
  }

  async #open(): Promise<void> {
    const dataConnection = this.data.connection
    let connection: TrackingConnection
    try {
      connection = this.#connectionBeside((why) => this.#fail(connection, why))
    } catch (err) {
      // For example, the client has refused an option.
      this.#news.down(this, err)
      this.#retryAt = performance.now() + MAX_RETRY_MS
      return
    }
    this.#connection = connection
    this.#dataConnection = dataConnection
    const timer = setTimeout(() => this.#fail(connection, `it was not there within ${OPEN_MS} ms`), OPEN_MS).unref()
    try {
      await connection.open()
      if (this.#connection !== connection) return
      const runId = this.data.isClosedByCaller ? undefined : await runIdOf(this.data)
      if (this.#connection !== connection) return
      if (runId === undefined || runId !== connection.runId) return this.#meetStranger(connection)
      this.#isOn = true
      this.#strangers = 0
      await this.#ask(connection)
    } catch (err) {
      if (!(err instanceof TrackingRefused)) return this.#fail(connection, err)
      this.#news.refused(err.message)
      this.#lose(connection, REFUSED_RETRY_MS)
    } finally {
      clearTimeout(timer)
    }
  }

  #connectionBeside(onLost: (why: unknown) => void): TrackingConnection {
    return new TrackingConnection(this.data.beside(), this.#prefix, (keys) => this.#news.changed(keys), onLost)
  }

  async #ask(connection: TrackingConnection): Promise<void> {
    const [sentAt, sentDate] = [performance.now(), Date.now()]
    this.#isAsking = true
    this.#missed = 0
    try {
      const [, isServing] = await Promise.all([connection.ping(), this.#isServing(this.data)])
      if (this.#connection !== connection) return
      this.#isAsking = false
      if (!isServing || !this.#isSameData()) return this.#lose(connection, RETRY_MS)
      this.#provenUntil = sentAt + LEASE_MS
      this.#provenUntilDate = sentDate + LEASE_MS
      this.#failures = 0
      this.#news.up(this)
    } catch (err) {
      this.#fail(connection, err)
    }
  }

  #meetStranger(connection: TrackingConnection): void {
    this.#strangers += 1
    if (this.#strangers === MAX_STRANGERS)
      this.#news.refused('connections with the same options lead to several servers')
    this.#lose(connection, this.#strangers < MAX_STRANGERS ? RETRY_MS : REFUSED_RETRY_MS)
  }

  /** Whether sessions are still read over the connection that existed when tracking began. */
  #isSameData(): boolean {
    return this.data.isReady && this.data.connection === this.#dataConnection && !this.data.isClosedByCaller
  }

  #fail(connection: TrackingConnection, why: unknown): void {
    if (this.#connection !== connection) return
    if (!this.data.isClosed) this.#news.down(this, why)
    const retryInMs = Math.min(RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS)
    this.#failures += 1
    this.#lose(connection, retryInMs)
  }

  #lose(connection: TrackingConnection, retryInMs: number): void {
    if (this.#connection !== connection) return
    const wasOn = this.#isOn
    this.#connection = undefined
    this.#isOn = false
    this.#isAsking = false
    this.#dataConnection = undefined
    this.#provenUntil = Number.NEGATIVE_INFINITY
    this.#retryAt = Math.max(this.#retryAt, performance.now() + retryInMs)
    connection.close()
    // A failed attempt loses nothing, and there may be many while one of several servers is down.
    if (wasOn) this.#news.lost()
  }
}
