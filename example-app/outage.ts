import type { RedisStore } from 'connect-redis-hash'

/** Makes Redis answer nobody for so many milliseconds. */
export type PauseRedis = (ms: number) => Promise<void>

const OUTAGE_SECONDS = 10
/** Seconds after the outage in which the store may take notice. */
const LATE_SECONDS = 5

/** The button that makes Redis silent for some seconds. Redis itself counts them, so it comes back in any case. */
export class Outage {
  readonly #store: RedisStore
  readonly #pause: PauseRedis | undefined
  readonly seconds: number
  #until = Number.NEGATIVE_INFINITY
  #begun = new Date(0)
  #downMs: number | undefined

  /** @param pause undefined: Redis may be somebody's, so it is left alone */
  constructor(store: RedisStore, pause: PauseRedis | undefined, seconds = OUTAGE_SECONDS) {
    this.#store = store
    this.#pause = pause
    this.seconds = seconds
    store.on('available', ({ downMs }) => {
      this.#downMs = downMs
    })
  }

  get isOffered(): boolean {
    return this.#pause !== undefined
  }

  /** Milliseconds until Redis answers again; 0 if it does already. */
  get leftMs(): number {
    return this.#downMs === undefined ? Math.max(0, this.#until - performance.now()) : 0
  }

  /** Whether Redis is silent, or the store has not noticed yet that it is back. */
  get isRunning(): boolean {
    if (this.leftMs > 0) return true
    return performance.now() < this.#until + LATE_SECONDS * 1000 && !this.#store.health.available
  }

  /** When the last one began. */
  get begun(): Date {
    return this.#begun
  }

  /** For how long Redis was away the last time, as the store has noticed it, in milliseconds. */
  get lastDownMs(): number | undefined {
    return this.#downMs
  }

  /** Begins an outage, unless there is one. */
  async begin(): Promise<void> {
    if (this.#pause === undefined || this.isRunning) return
    const ms = this.seconds * 1000
    this.#until = performance.now() + ms
    this.#begun = new Date()
    this.#downMs = undefined
    try {
      await this.#pause(ms)
    } catch (error) {
      this.#until = Number.NEGATIVE_INFINITY
      throw error
    }
  }
}
