import { schedule } from '../../on-end/queue.js'
import type { Context, EndOfLife, SessionEnding } from '../../session/context.js'

/**
 * Ends sessions of an application with `onEnd`: their content stays, and the queue says that they have ended, so that a
 * process of the application finds and hands over each. The queue tells whether the application has that option.
 */
export class LeaveToApplication implements EndOfLife {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  static async isNeeded({ gateway, keys }: Context): Promise<boolean> {
    const found = await Promise.all(keys.allEnds().map((key) => gateway.exists(key)))
    return found.includes(true)
  }

  async expect(): Promise<void> {}

  ending(storedId: string): SessionEnding {
    schedule(this.#context, storedId, 0, 'exactly').catch(() => undefined)
    return { claimMs: undefined, settled: () => {} }
  }

  take(): void {}

  /** A string of connect-redis, or a session that this Redis user may not keep: its content is gone. */
  deliver(): void {}

  async handOver(): Promise<void> {}
}
