import type { ServerResponse } from 'node:http'
import type { AdminAccess } from '../admin/admin-access.js'
import { ScanPlace } from '../redis/scan-place.js'
import type { Limits } from './limits.js'
import { TryAgain } from './try-again.js'

/** Limits walks through all keys, in time, in number of keys, and how many there are at once. */
export class Budget {
  readonly #limits: Limits
  #walks = 0
  #isClosed = false

  constructor(limits: Limits, { closers }: Pick<AdminAccess, 'closers'>) {
    this.#limits = limits
    closers.add(() => {
      this.#isClosed = true
    })
  }

  /**
   * Runs a walk, which ends early when its time is over, or when nobody waits for it.
   *
   * @throws TryAgain if there are too many walks already
   */
  async walk<T>(res: ServerResponse, work: (walk: Walk) => Promise<T>): Promise<T> {
    if (this.#walks >= this.#limits.walks) {
      res.setHeader('Retry-After', '5')
      throw new TryAgain('too many others are looking through all sessions: try again in a moment')
    }
    this.#walks += 1
    try {
      return await work(new Walk(this.#limits, () => res.destroyed || this.#isClosed))
    } finally {
      this.#walks -= 1
    }
  }
}

/** A walk through keys or index entries that may be cut off. */
export class Walk {
  /** Keys that were looked at. */
  count = 0
  readonly #end: number
  readonly #maxKeys: number
  readonly #isUseless: () => boolean
  /** Whether it was stopped before it had come to its end. */
  isCut = false

  constructor({ walkMs, walkKeys }: Limits, isUseless: () => boolean) {
    this.#end = performance.now() + walkMs
    this.#maxKeys = walkKeys
    this.#isUseless = isUseless
  }

  /** Whether to stop here. */
  get aborted(): boolean {
    return performance.now() >= this.#end || this.count >= this.#maxKeys || this.#isUseless()
  }

  /** Yields batches until the walk is stopped. @param batches made with the place of this walk */
  async *through(batches: (place: ScanPlace) => AsyncIterable<readonly string[]>): AsyncGenerator<readonly string[]> {
    const place = new ScanPlace(this)
    for await (const batch of batches(place)) {
      // The pages of an index are read without a place.
      if (this.aborted) {
        this.isCut = true
        return
      }
      this.count += batch.length
      yield batch
    }
    this.isCut ||= place.hasBegun && !place.isDone
  }
}
