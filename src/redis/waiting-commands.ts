/** A command that waits for its reply. */
export interface Waiting {
  /** undefined for a command without a key */
  readonly key: string | undefined
  /** When it was sent, by `performance.now()`. */
  readonly since: number
}

interface Linked extends Waiting {
  earlier: Linked | undefined
  later: Linked | undefined
  isListed: boolean
}

/**
 * The commands that wait for their replies, in the order in which they were sent. A linked list: a Set costs every
 * command several times as much.
 */
export class WaitingCommands {
  #first: Linked | undefined
  #last: Linked | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  add(key: string | undefined): Waiting {
    const added: Linked = { key, since: performance.now(), earlier: this.#last, later: undefined, isListed: true }
    if (this.#last === undefined) this.#first = added
    else this.#last.later = added
    this.#last = added
    this.#size += 1
    return added
  }

  /** Removes a command, if it has not been removed already. */
  delete(waiting: Waiting): void {
    const linked = waiting as Linked
    const { earlier, later } = linked
    if (!linked.isListed) return
    if (earlier === undefined) this.#first = later
    else earlier.later = later
    if (later === undefined) this.#last = earlier
    else later.earlier = earlier
    // Otherwise each command would lead to the next one, and all would stay in memory as long as the first.
    linked.earlier = linked.later = undefined
    linked.isListed = false
    this.#size -= 1
  }

  /** Yields the commands, oldest first. The one that was yielded last may be removed meanwhile. */
  *[Symbol.iterator](): Generator<Waiting> {
    let one = this.#first
    while (one !== undefined) {
      const { later } = one
      yield one
      one = later
    }
  }
}
