/** Milliseconds for which a session that was met counts as a sign that there are more. */
const REMEMBERED_MS = 3_600_000

/** Whether there may be sessions that no index names, because connect-redis wrote them. */
export class UnindexedStrings {
  #metAt = Number.NEGATIVE_INFINITY

  /** A request has loaded such a session. */
  meet(): void {
    this.#metAt = performance.now()
  }

  /** A walk through all sessions has met none. */
  forget(): void {
    this.#metAt = Number.NEGATIVE_INFINITY
  }

  get mayBeThere(): boolean {
    return performance.now() - this.#metAt < REMEMBERED_MS
  }
}
