/** A session that is being written to Redis for the first time. */
export interface Creation {
  /** The session was ended before it existed in Redis. */
  isCancelled: boolean
}

/**
 * Sessions that this process is creating. An indexed session is entered into its indexes before it is written. So a
 * call that ends it could be made later, but reach Redis earlier, and would find nothing to end.
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
