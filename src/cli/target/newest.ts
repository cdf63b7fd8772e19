/** A session and when it was last seen, in milliseconds since 1970; 0 if that is unknown. */
export interface Seen {
  storedId: string
  handle: string
  seenAt: number
}

/** Which of two sessions comes first: the one that was seen later. The handle decides between equals. */
export function compareSeen(a: Omit<Seen, 'storedId'>, b: Omit<Seen, 'storedId'>): number {
  return b.seenAt - a.seenAt || (a.handle < b.handle ? -1 : a.handle > b.handle ? 1 : 0)
}

/** Keeps the newest sessions of any number, and holds at most twice as many as are wanted. */
export class Newest {
  readonly #limit: number
  readonly #after: Omit<Seen, 'storedId'> | undefined
  readonly #handles = new Set<string>()
  #kept: Seen[] = []
  /** How many there are after `after`, wanted or not. */
  total = 0

  /** @param after the last session of the page before: only those that come after it count */
  constructor(limit: number, after?: Omit<Seen, 'storedId'>) {
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
