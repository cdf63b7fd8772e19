import { atEndOfTurn } from './real-set-immediate.js'

/**
 * The promise of a method of the store contract. Hosts made for callbacks leave it alone, so its rejection must not end the
 * process; but a failure of which nobody has asked by then is not to be lost, and is handed to `unheard`. Who awaits it, or takes it
 * with `then`, `catch` or `finally`, gets an ordinary promise.
 */
export class Answer<T> extends Promise<T> {
  // `await` calls `then` of a promise only where its constructor is not Promise itself, so that one stays as it is.
  #isTaken = false

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  constructor(work: Promise<T>, unheard: (err: unknown) => void) {
    super((resolve, reject) => {
      work.then(resolve, reject)
    })
    // Node looks for unhandled rejections at the end of the turn, too.
    super.then(undefined, (err: unknown) => {
      atEndOfTurn(() => {
        if (!this.#isTaken) unheard(err)
      })
    })
  }

  // biome-ignore lint/suspicious/noThenProperty: what `await` calls
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isTaken = true
    return super.then(onFulfilled, onRejected)
  }
}
