import { RedisStore } from 'connect-redis-hash'

/** Remembers how long the slowest operation took. */
export class TimedStore extends RedisStore {
  #longest = { longestMs: 0, slowestOperation: '' }

  override get(...args: Parameters<RedisStore['get']>): ReturnType<RedisStore['get']> {
    return this.#timed('get', super.get(...args))
  }

  override set(...args: Parameters<RedisStore['set']>): Promise<void> {
    return this.#timed('set', super.set(...args))
  }

  override touch(...args: Parameters<RedisStore['touch']>): Promise<void> {
    return this.#timed('touch', super.touch(...args))
  }

  override destroy(...args: Parameters<RedisStore['destroy']>): Promise<void> {
    return this.#timed('destroy', super.destroy(...args))
  }

  /** @returns the slowest operation since the last call */
  takeLongest(): { longestMs: number; slowestOperation: string } {
    const longest = this.#longest
    this.#longest = { longestMs: 0, slowestOperation: '' }
    return longest
  }

  #timed<T>(slowestOperation: string, work: Promise<T>): Promise<T> {
    const start = performance.now()
    const done = () => {
      const longestMs = performance.now() - start
      if (longestMs > this.#longest.longestMs) this.#longest = { longestMs, slowestOperation }
    }
    work.then(done, done)
    return work
  }
}
