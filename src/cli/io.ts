/** What a command has of the world around it. */
export interface Io {
  /** Results, a whole text with its line ends. */
  out(text: string): void
  /** What is wrong with the call. */
  err(text: string): void
  env: Readonly<Record<string, string | undefined>>
  /** Whether a person sees the output in colours. */
  hasColours: boolean
}

export const EXIT = { fine: 0, found: 1, impossible: 2 } as const

/** The call is wrong, or the server cannot be reached: a text for the person, exit code 2. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}
