import { Turns } from './write-queue.js'

/** The writes of one session that are under way or wait. */
export interface Line {
  /** How many there are, with the one that is under way. */
  readonly length: number
  /** What the last write knows of the session, for the next one. */
  last?: Written | undefined
}

/** What Redis holds after a write. */
interface Written {
  /** Save counter. */
  saves: string
  /** Stored texts of the fields that were written; null: removed. */
  held: ReadonlyMap<string, string | null>
}

/**
 * Runs those writes of this process one after the other that read a session before they change it. Each would otherwise
 * find that another one was faster, again and again.
 */
export class SessionQueue {
  readonly #timeoutMs: number
  /** By stored id; only of sessions that are being written. */
  readonly #lines = new Map<string, Line & { turns: Turns; length: number }>()

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  async take<T>(storedId: string, work: (line: Line) => Promise<T>): Promise<T> {
    const line = this.#lines.get(storedId) ?? { turns: new Turns(this.#timeoutMs), length: 0 }
    this.#lines.set(storedId, line)
    line.length += 1
    try {
      return await line.turns.take(() => work(line))
    } finally {
      line.length -= 1
      if (line.length === 0) this.#lines.delete(storedId)
    }
  }
}
