/**
 * Runs the writes of one session object one after the other, because a second save must know what the first one did.
 * The wait is limited: ioredis may never settle a write that has timed out.
 */
export class Turns {
  readonly #timeoutMs: number
  #underWay: { done: Promise<unknown>; since: number } | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  take<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#underWay
    const done = before === undefined ? work() : this.#ended(before.done, before.since).then(work)
    const turn = { done, since: performance.now() }
    this.#underWay = turn
    const leave = () => {
      if (this.#underWay === turn) this.#underWay = undefined
    }
    void done.then(leave, leave)
    return done
  }

  async #ended(done: Promise<unknown>, since: number): Promise<void> {
    const patienceMs = since + this.#timeoutMs - performance.now()
    if (patienceMs <= 0) return
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs)
    })
    await Promise.race([done.catch(() => undefined), timeUp])
    clearTimeout(timer)
  }
}
