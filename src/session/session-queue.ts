import { Turns } from './write-queue.js'

/**
 * Runs those writes of this process one after the other that read a session before they change it. Each would otherwise
 * find that another one was faster, again and again.
 */
export class SessionQueue {
  readonly #timeoutMs: number
  /** By stored id; only of sessions that are being written. */
  readonly #lines = new Map<string, { turns: Turns; length: number }>()

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  async take<T>(storedId: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(storedId) ?? { turns: new Turns(this.#timeoutMs), length: 0 }
    this.#lines.set(storedId, line)
    line.length += 1
    try {
      return await line.turns.take(work)
    } finally {
      line.length -= 1
      if (line.length === 0) this.#lines.delete(storedId)
    }
  }
}
