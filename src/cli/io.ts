/** The outside world as a command sees it. */
export interface Io {
  /** Prints a result, with its line ends. */
  out(text: string): void
  /** Prints an error, a question or a hint. */
  err(text: string): void
  env: Readonly<Record<string, string | undefined>>
  /** Whether the output is a terminal with colours. */
  hasColours: boolean
  /** Whether the output is a terminal: somebody reads it, and no program. */
  isTerminal: boolean
  /** Whether somebody sees what `err` prints, so that hints and progress make sense. */
  isWatched: boolean
  /** Columns of the terminal. */
  columns: number
  /** Aborted by Ctrl-C, and when nobody reads the output any more. */
  stop: AbortSignal
  /** Asks a question; undefined where nobody can answer. */
  ask: ((question: string) => Promise<boolean>) | undefined
}

/**
 * fine: done. found: something is wrong, or nothing was found. impossible: wrong use, or no server. stopped: half-way, and
 * the next call can go on from there.
 */
export const EXIT = { fine: 0, found: 1, impossible: 2, stopped: 3 } as const

/** Wrong use, or the server cannot be reached: the message is for the user. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.impossible) {
    super(message)
    this.exitCode = exitCode
  }
}
