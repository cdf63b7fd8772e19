import { CommandError } from '../io.js'

/** Returns the URL among the arguments of a command that takes nothing else. */
export function urlIn(positionals: readonly string[]): string | undefined {
  if (positionals.length > 1) throw new CommandError('Give one URL.')
  return positionals[0]
}
