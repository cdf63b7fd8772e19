import type { EventEmitter } from 'node:events'
import type { SessionStoreError } from '../errors.js'
import { type Announcer, emitSafely } from '../events.js'
import { AwayMaster, isAway } from './away-master.js'
import type { Client } from './client.js'
import { masterOfKey, WHOLE } from './master-of-key.js'
import { type Waiting, WaitingCommands } from './waiting-commands.js'

/** Milliseconds for which one search for silent masters is enough. Many operations may fail at the same moment. */
const JUDGED_FOR_MS = 20

export interface AvailabilityOptions {
  client: Client
  timeoutMs: number
  announcer: Announcer
  emitter: EventEmitter
  /** Whether to tell express-session, so that it serves requests without sessions. */
  goOn: boolean
  /** Sends a command to the master of the key, even while this master is known to be away. */
  probe: (key: string | undefined) => Promise<unknown>
}

/**
 * Notices when Redis becomes unavailable and when it is back, and emits `unavailable` and `available`. If the
 * application chose to go on without sessions, it also emits express-session's `disconnect` and `connect`. While Redis
 * is away, it is probed.
 *
 * This is a circuit breaker. After one failure, which may be an exception, commands are still sent. Once a probe has
 * timed out as well, only probes are sent. Then no request waits for a timeout that is certain to come, and Redis does
 * not get a backlog of outdated commands when it is back.
 *
 * In a Cluster, each master has its own state, so sessions on the other masters are not affected. express-session has
 * only one state, so it is not told before all masters are away.
 */
export class Availability {
  readonly #options: AvailabilityOptions
  readonly #waiting = new WaitingCommands()
  /** Keys of failed commands, by the error. */
  readonly #failedKeys = new WeakMap<object, string | undefined>()
  /** Masters that are away, by address. */
  readonly #away = new Map<string, AwayMaster>()
  #downSince = 0
  #failedAt = Number.NEGATIVE_INFINITY
  #judgedAt = Number.NEGATIVE_INFINITY
  #isDisconnected = false
  #isClosed = false

  constructor(options: AvailabilityOptions) {
    this.#options = options
  }

  /** Whether nothing but probes may be sent to the master of this key, because a probe has timed out. */
  isShut(key: string | undefined): boolean {
    if (this.#away.size === 0) return false
    if (this.#away.get(WHOLE)?.isShut) return true
    return key !== undefined && (this.#away.get(masterOfKey(this.#options.client, key))?.isShut ?? false)
  }

  /** Number of commands that wait for their replies. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Whether Redis, or any master of a Cluster, does not answer. */
  get isAway(): boolean {
    return this.#away.size > 0
  }

  /** Call this before a command is sent. */
  sent(key: string | undefined): Waiting {
    return this.#waiting.add(key)
  }

  /** Call this when Redis has replied without an error. */
  answered(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    if (this.#away.size === 0) return
    this.#isBack(WHOLE)
    if (waiting.key !== undefined) this.#isBack(masterOfKey(this.#options.client, waiting.key))
  }

  /** Call this when a command has failed. The error counts only once the whole operation fails with it. */
  refused(waiting: Waiting, err: object): void {
    this.#waiting.delete(waiting)
    if (isAway(err)) this.#failedKeys.set(err, waiting.key)
  }

  /** Call this when an operation has failed. */
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
    if (!this.#options.client.isReady) this.#goesAway(undefined, code)
    for (const key of this.#silentKeys(now)) this.#goesAway(key, code)
  }

  /**
   * Whether any operation has failed since then, so that its caller may know of the failure.
   *
   * @param since time by `performance.now()`
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
   * Yields the keys of commands that have waited for at least half the timeout, each once. An operation may also time
   * out because it sends many commands or waits for something else; that does not mean that Redis is away.
   */
  *#silentKeys(now: number): Generator<string | undefined> {
    const { timeoutMs } = this.#options
    for (const waiting of this.#waiting) {
      if (now - waiting.since < timeoutMs / 2) return
      // Some clients never settle pending commands when a connection is lost. Such a command must not count for ever.
      this.#waiting.delete(waiting)
      yield waiting.key
    }
  }

  #goesAway(key: string | undefined, code: string): void {
    const { client, announcer, probe } = this.#options
    // It is not known which master has not answered.
    if (key === undefined && client.isCluster && client.isReady) return
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
    if (!client.isCluster) return false
    return client.masters().every(({ address }) => this.#away.has(address))
  }
}
