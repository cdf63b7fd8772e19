import { isClosed, type RedisClient, type RedisNode } from './client.js'
import { streamOf } from './clients/ioredis-internals.js'
import { reconnectDelay } from './connect/request-path-options.js'
import { connectionBeside } from './connection-beside.js'
import { replyCode } from './redis-error.js'
import type { SideHealth } from './side-health.js'

/** Milliseconds between two PINGs. */
const HEARTBEAT_MS = 1000
/** The connection is given up after this many heartbeats without a byte from Redis. */
const MAX_SILENT = 3
const OPEN_MS = 3000
/** Milliseconds between two attempts while the Redis user lacks a permission. */
const FORBIDDEN_RETRY_MS = 30_000

export interface SideUse {
  /** Returns the client's connection to the server to connect to; undefined: there is none yet. */
  node(): RedisNode | undefined
  /** Whether the connection may stay at its server. */
  mayStay?(node: RedisNode): boolean
  /** Prepares a new connection, for example subscribes. */
  prepare(redis: RedisNode): Promise<unknown>
  /** Milliseconds for which a working connection may send nothing, because it runs a blocking command. */
  blockedMs?: number
}

/**
 * An additional connection of the store. Each attempt uses the client's current options and server, so that it succeeds
 * after a change of the password or a failover. PING detects a half-open connection: any byte from Redis proves that
 * the connection works. While the client is closed, no attempt is made.
 */
export class SideConnection {
  readonly #client: RedisClient
  readonly #use: SideUse
  readonly #health: SideHealth
  readonly #maxSilent: number
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
    this.#maxSilent = MAX_SILENT + Math.ceil((use.blockedMs ?? 0) / HEARTBEAT_MS)
    this.#wakeIn(this.#step())
  }

  /** Resolves the connection as soon as it can be used, or undefined after `timeoutMs`. */
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

  /** Opens, checks or replaces the connection. @returns milliseconds until the next step */
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
      // For example, ioredis has refused an option.
      return this.#fail(err)
    }
    this.#redis = redis
    this.#node = node
    // The event `error` precedes `close` and has the reason.
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
    if (this.#silent >= this.#maxSilent) return this.#fail(`nothing came for ${this.#silent * HEARTBEAT_MS} ms`)
    if (this.#silent === 0) this.#failures = 0
    // An error reply, for example a missing permission, proves as well that the connection works.
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
