/** A session on its way to Redis, for the first time. */
export interface Creation {
  /** Somebody has ended it before it was there. */
  isCancelled: boolean
}

/**
 * Sessions that this process is creating. An indexed one is entered into its indexes first, so an end that is asked for
 * later would get to Redis earlier, and find nothing to end.
 */
export class Creations {
  readonly #underWay = new Map<string, Set<Creation>>()

  async run<T>(storedId: string, work: (creation: Creation) => Promise<T>): Promise<T> {
    const creation: Creation = { isCancelled: false }
    const known = this.#underWay.get(storedId) ?? new Set()
    this.#underWay.set(storedId, known.add(creation))
    try {
      return await work(creation)
    } finally {
      known.delete(creation)
      if (known.size === 0) this.#underWay.delete(storedId)
    }
  }

  cancel(storedId: string): void {
    for (const creation of this.#underWay.get(storedId) ?? []) creation.isCancelled = true
  }
}
