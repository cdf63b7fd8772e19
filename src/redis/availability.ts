import type { EventEmitter } from 'node:events'
import type { SessionStoreError } from '../errors.js'
import { type Announcer, emitSafely } from '../events.js'
import { AwayMaster, isAway } from './away-master.js'
import { isCluster, type RedisClient } from './client.js'
import { masterOfKey, WHOLE } from './master-of-key.js'

/** A failure says at once for all that fail in the same moment who does not answer. */
const JUDGED_FOR_MS = 20

/** A command that has been sent, and not been answered yet. */
export interface Waiting {
  /** undefined: of no key in particular */
  readonly key: string | undefined
  /** Of `performance.now()`. */
  readonly since: number
}

export interface AvailabilityOptions {
  client: RedisClient
  timeoutMs: number
  announcer: Announcer
  emitter: EventEmitter
  /** Whether express-session is told, which then goes on without sessions. */
  goOn: boolean
  /** Asks whoever serves the key whether they are there, also while they are known to be away. */
  probe: (key: string | undefined) => Promise<unknown>
}

/**
 * Notices when Redis goes away and when it is back, and says so: `unavailable` and `available` always, express-session's
 * `disconnect` and `connect` where the application chose to go on without sessions. While Redis is away it is probed.
 *
 * A circuit breaker: one failure may be bad luck, and what else is asked of Redis still goes there. Once a probe has
 * waited in vain, too, nothing but probes does: nobody waits for a timeout whose end is known, and a Redis that comes
 * back does not find a heap of requests that have been answered long ago.
 *
 * In a Cluster, each master by itself: sessions of the others go on as if nothing had been. express-session knows but one state for all of
 * them, so it hears nothing until no master is left.
 */
export class Availability {
  readonly #options: AvailabilityOptions
  readonly #waiting = new Set<Waiting>()
  /** Failed commands, by their errors: which key they were for. */
  readonly #failedKeys = new WeakMap<object, string | undefined>()
  /** By address. */
  readonly #away = new Map<string, AwayMaster>()
  #downSince = 0
  #failedAt = Number.NEGATIVE_INFINITY
  #judgedAt = Number.NEGATIVE_INFINITY
  #isDisconnected = false
  #isClosed = false

  constructor(options: AvailabilityOptions) {
    this.#options = options
  }

  /** Whether who serves this key need not be asked: a probe has waited for them in vain. */
  isShut(key: string | undefined): boolean {
    if (this.#away.size === 0) return false
    if (this.#away.get(WHOLE)?.isShut) return true
    return key !== undefined && (this.#away.get(masterOfKey(this.#options.client, key))?.isShut ?? false)
  }

  /** A command is about to be sent. */
  sent(key: string | undefined): Waiting {
    const waiting = { key, since: performance.now() }
    this.#waiting.add(waiting)
    return waiting
  }

  /** Redis has answered it as it should. */
  answered(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    if (this.#away.size === 0) return
    this.#isBack(WHOLE)
    if (waiting.key !== undefined) this.#isBack(masterOfKey(this.#options.client, waiting.key))
  }

  /** It has failed; what that says of Redis is judged once the operation fails that it is part of. */
  refused(waiting: Waiting, err: object): void {
    this.#waiting.delete(waiting)
    if (isAway(err)) this.#failedKeys.set(err, waiting.key)
  }

  /** An operation has failed. */
  failed(err: unknown): void {
    if (!isAway(err)) return
    this.#failedAt = performance.now()
    if (this.#isClosed) return
    const { code } = err as SessionStoreError
    if (this.#failedKeys.has(err as object)) this.#goesAway(this.#failedKeys.get(err as object), code)
    else this.#judge(code)
  }

  #judge(code: string): void {
    const now = performance.now()
    if (now - this.#judgedAt < JUDGED_FOR_MS) return
    this.#judgedAt = now
    if (this.#options.client.status !== 'ready') this.#goesAway(undefined, code)
    for (const key of this.#silentKeys(now)) this.#goesAway(key, code)
  }

  /**
   * Whether any caller may have been told since then that their operation has failed.
   *
   * @param since of `performance.now()`
   */
  hasFailedSince(since: number): boolean {
    return this.#failedAt > since
  }

  close(): void {
    this.#isClosed = true
    for (const away of this.#away.values()) away.close()
    this.#away.clear()
  }

  /**
   * What has waited for most of a timeout. An operation that takes too long although each of its commands is answered in time, or that
   * waits for something else, is no sign that Redis is away.
   */
  *#silentKeys(now: number): Generator<string | undefined> {
    const { timeoutMs } = this.#options
    for (const waiting of this.#waiting) {
      const waitedMs = now - waiting.since
      if (waitedMs < timeoutMs / 2) return
      // Some clients forget what was under way when a connection is lost.
      if (waitedMs > 2 * timeoutMs) this.#waiting.delete(waiting)
      else yield waiting.key
    }
  }

  #goesAway(key: string | undefined, code: string): void {
    const { client, announcer, probe } = this.#options
    // Nobody knows which of them has not answered.
    if (key === undefined && isCluster(client) && client.status === 'ready') return
    const master = key === undefined ? WHOLE : masterOfKey(client, key)
    if (this.#away.has(master)) return
    const isFirst = this.#away.size === 0
    this.#away.set(
      master,
      new AwayMaster(
        () => probe(key),
        () => this.#isBack(master),
      ),
    )
    if (isFirst) {
      this.#downSince = Date.now()
      const named = master === WHOLE ? {} : { master }
      announcer.announce('unavailable', { code, ...named })
    }
    this.#tellExpressSession()
  }

  #isBack(master: string): void {
    const away = this.#away.get(master)
    if (away === undefined) return
    away.close()
    this.#away.delete(master)
    if (this.#away.size === 0) this.#options.announcer.announce('available', { downMs: Date.now() - this.#downSince })
    this.#tellExpressSession()
  }

  #tellExpressSession(): void {
    const { emitter, goOn } = this.#options
    const isDisconnected = this.#isAllAway()
    if (!goOn || isDisconnected === this.#isDisconnected) return
    this.#isDisconnected = isDisconnected
    emitSafely(emitter, isDisconnected ? 'disconnect' : 'connect')
  }

  #isAllAway(): boolean {
    const { client } = this.#options
    if (this.#away.size === 0 || this.#away.has(WHOLE)) return this.#away.size > 0
    if (!isCluster(client)) return false
    return client.nodes('master').every(({ options }) => this.#away.has(`${options.host}:${options.port}`))
  }
}
