/** What decides where a session stands among others. */
export interface Position {
  handle: string
  /** When it was last seen, in milliseconds since 1970; 0 if that is unknown. */
  seenAt: number
}

export interface Seen extends Position {
  storedId: string
}

/** Which of two sessions comes first: the one that was seen later. The handle decides between equals. */
export function compareSeen(a: Position, b: Position): number {
  return b.seenAt - a.seenAt || (a.handle < b.handle ? -1 : a.handle > b.handle ? 1 : 0)
}

/** Keeps the newest sessions of any number, and holds at most twice as many as are wanted. */
export class Newest {
  readonly #limit: number
  readonly #after: Position | undefined
  readonly #handles = new Set<string>()
  #kept: Seen[] = []
  /** How many there are after `after`, wanted or not. */
  total = 0

  /** @param after the last session of the page before: only those that come after it count */
  constructor(limit: number, after?: Position) {
    this.#limit = limit
    this.#after = after
  }

  add(seen: Seen): void {
    if (this.#after !== undefined && compareSeen(this.#after, seen) >= 0) return
    // While a session gets another id, it may be found under both.
    if (this.#handles.has(seen.handle)) return
    this.total += 1
    this.#handles.add(seen.handle)
    this.#kept.push(seen)
    if (this.#kept.length >= 2 * this.#limit) this.#trim()
  }

  /** The newest ones, newest first. */
  take(): readonly Seen[] {
    this.#trim()
    return this.#kept
  }

  #trim(): void {
    this.#kept.sort(compareSeen)
    for (const { handle } of this.#kept.splice(this.#limit)) this.#handles.delete(handle)
  }
}
