import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { socketPath } from './redis.js'

/**
 * Runs what depends on time. If it fails although this machine has stood still for longer than it allows, it is run again,
 * because such a run proves nothing.
 *
 * @param allowedMs the longest pause of this process and Redis that cannot be the reason of a failure
 * @param at address of the Redis of this test. Default: that of the test run
 */
export async function unlessStalled(
  allowedMs: number,
  attempt: () => Promise<void>,
  at: NetConnectOpts = { path: socketPath() },
): Promise<void> {
  for (;;) {
    const pauses = new Pauses(at)
    try {
      return await attempt()
    } catch (err) {
      if (pauses.longestMs < allowedMs) throw err
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

  constructor(at: NetConnectOpts) {
    this.#socket = connect(at)
    // Without answers, all of the attempt is one pause.
    this.#socket.on('error', () => undefined)
    this.#watch().catch(() => undefined)
  }

  get longestMs(): number {
    return Math.max(this.#longestMs, performance.now() - this.#last)
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
