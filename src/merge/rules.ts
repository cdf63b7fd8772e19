import { propertiesRead } from '../hash/properties-read.js'
import type { AnyStoreOptions, MergeFunction } from '../options.js'

/** How a property is merged: as objects are, or by a function of the application. */
export type MergeRule = true | MergeFunction

/** Which properties are merged, and how (`merge` option). */
export class MergeRules {
  readonly #isForAll: boolean
  readonly #named: ReadonlyMap<string, MergeRule>
  /** With `merge: true`: properties that are not merged, because they say whose a session is. */
  readonly #leftOut = new Set<string>()
  /** Functions that have been looked at. */
  readonly #known = new Set<unknown>()

  constructor(merge: NonNullable<AnyStoreOptions['merge']>) {
    this.#isForAll = merge === true
    const named = Array.isArray(merge) ? merge.map((name) => [name, true] as const) : Object.entries(merge)
    this.#named = new Map(merge === true ? [] : (named as [string, MergeRule][]))
  }

  /** Returns undefined for a property that is not merged. */
  of(property: string): MergeRule | undefined {
    if (!this.#isForAll) return this.#named.get(property)
    return this.#leftOut.has(property) ? undefined : true
  }

  /**
   * Excludes what a function reads to tell whose a session is: two requests must not make a third user of two.
   *
   * @param who names the function in the error message
   * @throws TypeError if the `merge` option names such a property
   */
  leaveOut(who: string, reads: (session: never) => unknown): void {
    if (this.#known.has(reads)) return
    for (const property of propertiesRead(reads, this.#named.keys())) {
      this.#leftOut.add(property)
      if (this.#named.has(property)) {
        throw new TypeError(
          `"merge" option must not name ${JSON.stringify(property)}: ${who} reads it, and what says whose a session is ` +
            'must not be made of two values',
        )
      }
    }
    this.#known.add(reads)
  }
}
