import { realSetImmediate } from './real-set-immediate.js'

/**
 * The promise that a method of the store contract returns. Hosts that pass a callback ignore it, so its rejection must
 * not end the process. A failure that nobody handles must not be lost either: it is passed to `unheard`. Callers that
 * use `await`, `then`, `catch` or `finally` get an ordinary promise.
 */
export class StorePromise<T> extends Promise<T> {
  // `await` calls `then` only if the promise's constructor is not Promise itself, so keep this class as its
  // constructor.
  #isTaken = false

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  constructor(work: Promise<T>, unheard: (err: unknown) => void) {
    super((resolve, reject) => {
      work.then(resolve, reject)
    })
    // Node, too, reports unhandled rejections only after the current turn of the event loop.
    super.then(undefined, (err: unknown) => {
      realSetImmediate(() => {
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
