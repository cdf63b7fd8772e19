import type { SessionErrorCode } from '../errors.js'

/** Failures that say Redis is away, as against those that concern one command or one session. */
const AWAY: ReadonlySet<string> = new Set<SessionErrorCode>(['ERR_SESSION_TIMEOUT', 'ERR_SESSION_UNAVAILABLE'])
/** Between two probes: ever longer, so that a short outage is over soon after Redis is back. */
const FIRST_PAUSE_MS = 25
const LONGEST_PAUSE_MS = 500
/** A failure that is worth waiting for. */
const SLOW_MS = 50

export function isAway(err: unknown): boolean {
  return AWAY.has((err as { code?: string }).code ?? '')
}

/** A Redis that has gone away, and is probed until it is back. */
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

  /** Whether it need not be asked: a probe has waited for it in vain. */
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
          // A Redis that forbids the probe to this user is there all the same.
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

  /** @param tookMs a client that fails at once while it has no connection may be asked: it knows best when it has one */
  #goOnProbing(tookMs: number): void {
    if (this.#isClosed) return
    this.#isShut = tookMs >= SLOW_MS
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2)
    this.#schedule(this.#pauseMs)
  }
}
