import { setTimeout as sleep } from 'node:timers/promises'

/** Lets work go on at most so many times a second, counted from its beginning. */
export class Pace {
  readonly #perSecond: number
  readonly #stop: AbortSignal
  readonly #begun = performance.now()
  #count = 0

  /** @param perSecond Infinity: as fast as it can */
  constructor(perSecond: number, stop: AbortSignal) {
    this.#perSecond = perSecond
    this.#stop = stop
  }

  /** How many to do at a time, so that no second begins with all of its work. */
  get atOnce(): number {
    return Math.max(1, Math.min(100, Math.floor(this.#perSecond / 10)))
  }

  /** Resolves when `count` more may be done. Somebody who has stopped the command does not wait. */
  async before(count: number): Promise<void> {
    const dueMs = (this.#count * 1000) / this.#perSecond - (performance.now() - this.#begun)
    this.#count += count
    if (dueMs > 0 && !this.#stop.aborted) await sleep(dueMs, undefined, { signal: this.#stop }).catch(() => undefined)
  }
}
