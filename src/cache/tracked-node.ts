import { streamOf } from '../redis/beside.js'
import { isClosed, isClosedByCaller, type RedisClient, type RedisNode } from '../redis/client.js'
import { runIdOf, TrackingConnection, TrackingRefused } from './tracking-connection.js'

/** Between two questions whether the tracking connection is alive. */
export const HEARTBEAT_MS = 250
/** For how long an answer holds, from when it was asked for: nothing is served from the cache after that. */
export const LEASE_MS = 1000
/** So many heartbeats without an answer, and the connection is given up. */
const MOST_MISSED = LEASE_MS / HEARTBEAT_MS
const OPEN_MS = 3000
/** After the first attempt that fails; each one after it waits twice as long. */
const RETRY_MS = 500
const LONGEST_RETRY_MS = 2000
const REFUSED_RETRY_MS = 30_000
/** In a row; then it is no failover. */
const MOST_STRANGERS = 5

export interface NodeNews {
  /** Keys as Redis has them have changed; null: any of them may have. */
  changed(keys: readonly Buffer[] | null): void
  /** What is known from this node may have changed without our hearing of it. */
  lost(): void
  /** There will be no tracking here. */
  refused(why: string): void
  /** The connection that tells us is lost, or cannot be made. */
  down(who: object, why: unknown): void
  /** It tells us, or is needed no more. */
  up(who: object): void
}

/**
 * One server that sessions are read from, and whether it is proven that we hear of every change there.
 *
 * The proof is a PING on the tracking connection: its answer comes behind the news of all that Redis has carried out
 * before. It holds for LEASE_MS from the moment it was sent, so it needs no timer that fires in time: a process that was
 * halted finds it run out. It holds only for the very connection over which sessions are read, compared by what process
 * answers there: after a failover the two could be connected to two servers.
 */
export class TrackedNode {
  readonly data: RedisNode
  readonly #client: RedisClient
  readonly #prefix: string
  readonly #news: NodeNews
  readonly #isServing: (data: RedisNode) => Promise<boolean>
  #connection: TrackingConnection | undefined
  #stream: unknown
  #isOn = false
  #provenUntil = Number.NEGATIVE_INFINITY
  #provenUntilDate = 0
  #isAsking = false
  #missed = 0
  #retryAt = 0
  #strangers = 0
  #failures = 0

  /**
   * @param data of the client
   * @param isServing whether the server would answer reads, apart from being there
   */
  constructor(
    client: RedisClient,
    data: RedisNode,
    prefix: string,
    news: NodeNews,
    isServing: (data: RedisNode) => Promise<boolean>,
  ) {
    this.#client = client
    this.data = data
    this.#prefix = prefix
    this.#news = news
    this.#isServing = isServing
  }

  /** @param now of `performance.now()` */
  isProven(now: number): boolean {
    // The monotonic clock stands still while a virtual machine is suspended.
    return now < this.#provenUntil && this.#isSameData() && Date.now() < this.#provenUntilDate
  }

  /** To be called every HEARTBEAT_MS. */
  tick(): void {
    const connection = this.#connection
    if (connection === undefined) {
      const mayOpen = this.data.status === 'ready' && !isClosedByCaller(this.data) && performance.now() >= this.#retryAt
      if (mayOpen) void this.#open()
      return
    }
    if (!this.#isOn) return
    if (!this.#isSameData()) this.#lose(connection, 0)
    else if (!this.#isAsking) void this.#ask(connection)
    else if (++this.#missed >= MOST_MISSED) this.#fail(connection, `nothing came for ${LEASE_MS} ms`)
  }

  close(): void {
    this.#retryAt = Number.POSITIVE_INFINITY
    if (this.#connection !== undefined) this.#lose(this.#connection, Number.POSITIVE_INFINITY)
    this.#news.up(this)
  }

  async #open(): Promise<void> {
    const stream = streamOf(this.data)
    let connection: TrackingConnection
    try {
      connection = this.#connectionBeside((why) => this.#fail(connection, why))
    } catch (err) {
      // Options that ioredis does not take, for example.
      this.#news.down(this, err)
      this.#retryAt = performance.now() + LONGEST_RETRY_MS
      return
    }
    this.#connection = connection
    this.#stream = stream
    const timer = setTimeout(() => this.#fail(connection, `it was not there within ${OPEN_MS} ms`), OPEN_MS).unref()
    try {
      await connection.open()
      if (this.#connection !== connection) return
      const runId = isClosedByCaller(this.data) ? undefined : await runIdOf(this.data)
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
    return new TrackingConnection(this.#client, this.data, this.#prefix, (keys) => this.#news.changed(keys), onLost)
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
    if (this.#strangers === MOST_STRANGERS)
      this.#news.refused('connections with the same options lead to several servers')
    this.#lose(connection, this.#strangers < MOST_STRANGERS ? RETRY_MS : REFUSED_RETRY_MS)
  }

  /** The connection over which sessions are read is the one it was when tracking began. */
  #isSameData(): boolean {
    return this.data.status === 'ready' && streamOf(this.data) === this.#stream && !isClosedByCaller(this.data)
  }

  #fail(connection: TrackingConnection, why: unknown): void {
    if (this.#connection !== connection) return
    if (!isClosed(this.data)) this.#news.down(this, why)
    const retryInMs = Math.min(RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS)
    this.#failures += 1
    this.#lose(connection, retryInMs)
  }

  #lose(connection: TrackingConnection, retryInMs: number): void {
    if (this.#connection !== connection) return
    const wasOn = this.#isOn
    this.#connection = undefined
    this.#isOn = false
    this.#isAsking = false
    this.#stream = undefined
    this.#provenUntil = Number.NEGATIVE_INFINITY
    this.#retryAt = Math.max(this.#retryAt, performance.now() + retryInMs)
    connection.close()
    // An attempt that failed is no loss, and there may be many of them while one of several servers is down.
    if (wasOn) this.#news.lost()
  }
}
