import type { EventEmitter } from 'node:events'
import type { SessionErrorCode, SessionStoreError } from '../errors.js'
import { type Announcer, emitSafely } from '../events.js'

/** Failures that say Redis is away, as against those that concern one command or one session. */
const AWAY: ReadonlySet<string> = new Set<SessionErrorCode>(['ERR_SESSION_TIMEOUT', 'ERR_SESSION_UNAVAILABLE'])
/** Between two probes: ever longer, so that a short outage is over soon after Redis is back. */
const FIRST_PAUSE_MS = 25
const LONGEST_PAUSE_MS = 500
/** A failure that is worth waiting for. */
const SLOW_MS = 50

/**
 * Notices when Redis goes away and when it is back, and says so: `unavailable` and `available` always, express-session's
 * `disconnect` and `connect` where the application chose to go on without sessions. While Redis is away it is probed.
 *
 * A circuit breaker: one failure may be bad luck, and what else is asked of Redis still goes there. Once a probe has
 * waited in vain, too, nothing but probes does: nobody waits for a timeout whose end is known, and a Redis that comes
 * back does not find a heap of requests that have been answered long ago.
 */
export class Availability {
  readonly #announcer: Announcer
  readonly #emitter: EventEmitter
  readonly #goOn: boolean
  readonly #probe: () => Promise<unknown>
  #downSince: number | undefined
  #isOpen = false
  #pauseMs = FIRST_PAUSE_MS
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #answers = 0
  #isAsking = false

  constructor(announcer: Announcer, emitter: EventEmitter, goOn: boolean, probe: () => Promise<unknown>) {
    this.#announcer = announcer
    this.#emitter = emitter
    this.#goOn = goOn
    this.#probe = probe
  }

  /** Whether Redis need not be asked: a probe has waited for it in vain. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** How often Redis has answered so far, whoever asked. */
  get answers(): number {
    return this.#answers
  }

  /** Redis has answered, and be it with an error. */
  answered(): void {
    this.#answers += 1
  }

  /**
   * An operation has passed its deadline. If Redis has answered something since that began, the operation may only have had too many
   * steps: Redis is asked before it counts as away.
   *
   * @param answersBefore `answers` when the operation began
   */
  overran(err: unknown, answersBefore: number): void {
    if (this.#answers === answersBefore) {
      this.failed(err)
      return
    }
    if (this.#isAsking || this.#downSince !== undefined || this.#closed) return
    this.#isAsking = true
    const asked = () => {
      this.#isAsking = false
    }
    this.#probe().then(asked, (failure: unknown) => {
      asked()
      this.failed(failure)
    })
  }

  failed(err: unknown): void {
    if (!isAway(err) || this.#downSince !== undefined || this.#closed) return
    this.#downSince = Date.now()
    this.#announcer.announce('unavailable', { code: (err as SessionStoreError).code })
    if (this.#goOn) emitSafely(this.#emitter, 'disconnect')
    this.#pauseMs = FIRST_PAUSE_MS
    this.#schedule(0)
  }

  succeeded(): void {
    this.#answers += 1
    if (this.#downSince === undefined) return
    const downMs = Date.now() - this.#downSince
    this.#downSince = undefined
    this.#isOpen = false
    clearTimeout(this.#timer)
    this.#announcer.announce('available', { downMs })
    if (this.#goOn) emitSafely(this.#emitter, 'connect')
  }

  close(): void {
    this.#closed = true
    this.#downSince = undefined
    this.#isOpen = false
    clearTimeout(this.#timer)
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => {
      const start = performance.now()
      this.#probe().then(
        () => this.succeeded(),
        (err: unknown) => {
          // A Redis that forbids PING to this user is there all the same.
          if (!isAway(err)) this.succeeded()
          else if (this.#downSince !== undefined) this.#goOnProbing(performance.now() - start)
        },
      )
    }, ms)
    this.#timer.unref()
  }

  /** @param tookMs a client that fails at once while it has no connection may be asked: it knows best when it has one */
  #goOnProbing(tookMs: number): void {
    this.#isOpen = tookMs >= SLOW_MS
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2)
    this.#schedule(this.#pauseMs)
  }
}

function isAway(err: unknown): boolean {
  return AWAY.has((err as { code?: string }).code ?? '')
}
