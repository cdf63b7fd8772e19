import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { socketPath } from './redis.js'

/** A machine that stands still each time shows nothing by standing still once more. */
const ATTEMPTS = 5

/**
 * Runs what depends on time. If it fails although this machine has stood still for longer than it allows, it is run again,
 * because such a run proves nothing.
 *
 * @param allowedMs the longest pause of this process and Redis that cannot be the reason of a failure
 * @param at address of a Redis that runs all the time. Default: that of the test run
 */
export async function unlessStalled(
  allowedMs: number,
  attempt: () => Promise<void>,
  at: NetConnectOpts = { path: socketPath() },
): Promise<void> {
  for (let left = ATTEMPTS; ; ) {
    const pauses = new Pauses(at)
    try {
      return await attempt()
    } catch (err) {
      left -= 1
      if (left === 0 || pauses.longestMs < allowedMs) throw err
    } finally {
      pauses.stop()
    }
  }
}

/** Measures the longest time in which this process and Redis together did nothing. */
class Pauses {
  readonly #socket: Socket
  #last = performance.now()
  #longestMs = 0
  #isLost = false

  constructor(at: NetConnectOpts) {
    this.#socket = connect(at)
    // A Redis that is gone is no pause, and excuses nothing.
    this.#socket.on('error', () => undefined)
    this.#socket.once('close', () => {
      this.#isLost = true
    })
    this.#watch().catch(() => undefined)
  }

  get longestMs(): number {
    return this.#isLost ? this.#longestMs : Math.max(this.#longestMs, performance.now() - this.#last)
  }

  stop(): void {
    this.#socket.destroy()
  }

  async #watch(): Promise<void> {
    while (!this.#socket.destroyed) {
      this.#socket.write('PING\r\n')
      await once(this.#socket, 'data')
      await sleep(5)
      this.#longestMs = this.longestMs
      this.#last = performance.now()
    }
  }
}
