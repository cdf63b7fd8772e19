/** Number of keys in each of two generations. */
const GENERATION = 10_000

/**
 * Remembers the keys that came last, so that a walk through any number of keys takes little memory. That is enough for
 * SCAN on one server: it repeats keys when its table shrinks, and then those of the buckets that it has just been at.
 */
export class RecentKeys {
  #young = new Set<string>()
  #old = new Set<string>()

  /** How many keys are remembered: at most twice a generation. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** Returns those that are new, each once, and remembers them. */
  unseen(keys: readonly string[]): string[] {
    return keys.filter((key) => this.#add(key))
  }

  #add(key: string): boolean {
    if (this.#young.has(key) || this.#old.has(key)) return false
    this.#young.add(key)
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young
      this.#young = new Set()
    }
    return true
  }
}
