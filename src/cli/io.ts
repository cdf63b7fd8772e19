/** The outside world as a command sees it. */
export interface Io {
  /** Prints a result, with its line ends. */
  out(text: string): void
  /** Prints an error. */
  err(text: string): void
  env: Readonly<Record<string, string | undefined>>
  /** Whether the output is a terminal with colours. */
  hasColours: boolean
}

export const EXIT = { fine: 0, found: 1, impossible: 2 } as const

/** Wrong use, or the server cannot be reached: the message is for the user, the exit code is 2. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}
