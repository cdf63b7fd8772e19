import { connectionBeside } from './beside.js'
import { isClosed, type RedisClient, type RedisNode } from './client.js'
import { streamOf } from './clients/ioredis-internals.js'
import { reconnectDelay } from './connect/request-path-options.js'
import { replyCode } from './redis-error.js'
import type { SideHealth } from './side-health.js'

/** Between two questions whether it is alive. */
const HEARTBEAT_MS = 1000
/** So many heartbeats without a byte from Redis, and the connection is given up. */
const MOST_SILENT = 3
const OPEN_MS = 3000
/** Until a permission is granted. */
const FORBIDDEN_RETRY_MS = 30_000

export interface SideUse {
  /** Beside which connection of the client it is to be made now; undefined: there is none yet. */
  node(): RedisNode | undefined
  /** Whether it may stay where it is. */
  mayStay?(node: RedisNode): boolean
  /** What it needs before it can be used. */
  prepare(redis: RedisNode): Promise<unknown>
  /** Milliseconds for which Redis may answer nothing on it although it is alive, because it waits as it was told to. */
  blockedMs?: number
}

/**
 * A connection of the store's own, beside the client's. Each attempt is made with what the client has now, so that it finds
 * its way after a change of passwords or a failover. A link that has died without a word is noticed by PING: whatever comes
 * from Redis proves that it lives. While the application has closed its client, nothing is tried.
 */
export class SideConnection {
  readonly #client: RedisClient
  readonly #use: SideUse
  readonly #health: SideHealth
  readonly #mostSilent: number
  readonly #waiting = new Set<(redis: RedisNode) => void>()
  #redis: RedisNode | undefined
  #node: RedisNode | undefined
  #isUp = false
  #bytesRead: number | undefined
  #silent = 0
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(client: RedisClient, use: SideUse, health: SideHealth) {
    this.#client = client
    this.#use = use
    this.#health = health
    this.#mostSilent = MOST_SILENT + Math.ceil((use.blockedMs ?? 0) / HEARTBEAT_MS)
    this.#wakeIn(this.#step())
  }

  /** Resolves the connection as soon as it can be used; undefined if that takes longer. */
  ready(timeoutMs: number): Promise<RedisNode | undefined> {
    if (this.#isUp) return Promise.resolve(this.#redis)
    return new Promise((resolve) => {
      const settle = (redis?: RedisNode) => {
        clearTimeout(timer)
        this.#waiting.delete(settle)
        resolve(redis)
      }
      const timer = setTimeout(settle, timeoutMs)
      this.#waiting.add(settle)
    })
  }

  close(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#drop()
    this.#health.up(this)
  }

  /** What is due now. @returns milliseconds until the next time */
  #step(): number {
    if (isClosed(this.#client)) {
      this.#drop()
      return HEARTBEAT_MS
    }
    if (this.#redis === undefined) return this.#open()
    if (!this.#isUp) return this.#fail(`it was not there within ${OPEN_MS} ms`)
    if (this.#use.mayStay?.(this.#node as RedisNode) !== false) return this.#beat(this.#redis)
    this.#drop()
    return this.#open()
  }

  #open(): number {
    const node = this.#use.node()
    if (node === undefined) return HEARTBEAT_MS
    let redis: RedisNode
    try {
      redis = connectionBeside(this.#client, node)
    } catch (err) {
      // Options that ioredis does not take, for example.
      return this.#fail(err)
    }
    this.#redis = redis
    this.#node = node
    // What it ends with comes after what it has ended for.
    let why: unknown
    redis.on('error', (err) => {
      why = err
    })
    const lost = (err: unknown) => {
      if (this.#redis === redis) this.#wakeIn(this.#fail(why ?? err))
    }
    for (const event of ['close', 'end']) redis.on(event, () => lost('it was lost'))
    const opening = redis.connect().then(() => this.#use.prepare(redis))
    opening.then(() => this.#begin(redis), lost)
    return OPEN_MS
  }

  #begin(redis: RedisNode): void {
    if (this.#redis !== redis) return
    this.#isUp = true
    this.#silent = 0
    this.#bytesRead = undefined
    this.#health.up(this)
    for (const settle of this.#waiting) settle(redis)
    this.#wakeIn(HEARTBEAT_MS)
  }

  #beat(redis: RedisNode): number {
    const { bytesRead } = streamOf(redis) ?? {}
    this.#silent = bytesRead === this.#bytesRead ? this.#silent + 1 : 0
    this.#bytesRead = bytesRead
    if (this.#silent >= this.#mostSilent) return this.#fail(`nothing came for ${this.#silent * HEARTBEAT_MS} ms`)
    if (this.#silent === 0) this.#failures = 0
    // That it is forbidden is an answer, too.
    redis.ping().catch(() => undefined)
    return HEARTBEAT_MS
  }

  /** @returns milliseconds until the next attempt */
  #fail(why: unknown): number {
    this.#drop()
    if (isClosed(this.#client)) return HEARTBEAT_MS
    this.#health.down(this, why)
    this.#failures += 1
    return replyCode(why) === 'NOPERM' ? FORBIDDEN_RETRY_MS : reconnectDelay(this.#failures)
  }

  #drop(): void {
    const redis = this.#redis
    this.#redis = undefined
    this.#node = undefined
    this.#isUp = false
    redis?.disconnect()
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.#isOver) this.#timer = setTimeout(() => this.#wakeIn(this.#step()), ms).unref()
  }
}
