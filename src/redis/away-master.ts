import type { SessionErrorCode } from '../errors.js'

/** Error codes that mean that Redis is away. Other errors concern one command or one session. */
const AWAY: ReadonlySet<string> = new Set<SessionErrorCode>(['ERR_SESSION_TIMEOUT', 'ERR_SESSION_UNAVAILABLE'])
/** Milliseconds between two probes. The pause doubles each time, so that the end of a short outage is noticed soon. */
const FIRST_PAUSE_MS = 25
const MAX_PAUSE_MS = 500
/** A probe that fails after at least this many milliseconds has waited for Redis. */
const SLOW_MS = 50

export function isAway(err: unknown): boolean {
  // A function of the application may throw undefined.
  return AWAY.has((err as { code?: string } | null | undefined)?.code ?? '')
}

/** Probes a Redis that is away until it answers again. */
export class AwayMaster {
  readonly #probe: () => Promise<unknown>
  readonly #onBack: () => void
  #isShut = false
  #isClosed = false
  #pauseMs = FIRST_PAUSE_MS
  #timer: NodeJS.Timeout | undefined

  constructor(probe: () => Promise<unknown>, onBack: () => void) {
    this.#probe = probe
    this.#onBack = onBack
    this.#schedule(0)
  }

  /** Whether nothing but probes may be sent to it, because a probe has timed out. */
  get isShut(): boolean {
    return this.#isShut
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => {
      const start = performance.now()
      this.#probe().then(
        () => this.#answered(),
        (err: unknown) => {
          // Any other error is an answer, for example that the user may not send the probe.
          if (!isAway(err)) this.#answered()
          else this.#goOnProbing(performance.now() - start)
        },
      )
    }, ms)
    this.#timer.unref()
  }

  #answered(): void {
    if (!this.#isClosed) this.#onBack()
  }

  /**
   * @param tookMs duration of the failed probe in milliseconds. A client that fails at once notices by itself when it
   *   is connected again, so commands may still be sent to it.
   */
  #goOnProbing(tookMs: number): void {
    if (this.#isClosed) return
    this.#isShut = tookMs >= SLOW_MS
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2)
    this.#schedule(this.#pauseMs)
  }
}
