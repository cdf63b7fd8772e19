import { EXIT, type Io } from './io.js'
import type { Options } from './parse.js'

/** A subcommand. */
export interface Command {
  /** What it does, for the list of commands. */
  SUMMARY: string
  OPTIONS: Options
  /** @returns the exit code */
  run(args: readonly string[], io: Io): Promise<number>
}

/** Options of every command that reads sessions. */
export const STORE_OPTIONS = {
  prefix: { type: 'string', default: 'sess:', value: 'text', help: "of the store's keys (default: sess:)" },
  'key-prefix': {
    type: 'string',
    default: '',
    value: 'text',
    help: "keyPrefix of the application's client, if it has one",
  },
  json: { type: 'boolean', default: false, help: 'for programs: one object a line' },
  help: { type: 'boolean', short: 'h', default: false, help: 'print this' },
} as const satisfies Options

export const RESUME_OPTION = {
  resume: {
    type: 'string',
    value: 'place',
    help: 'go on where an earlier call was stopped; it has printed the place',
  },
} as const satisfies Options

const URL_HELP = `url: redis://user:password@host:6379, rediss:// for TLS, or the path of a Unix socket. One node of a Cluster is enough;
several are written redis://a:6379,b:6379. Sentinels: redis-sentinel://user:password@a:26379,b:26379/name-of-master.
Better in the environment variable REDIS_URL: arguments are seen by other users (ps) and kept by shells.`

/** Where the descriptions of options begin. */
const COLUMN = 24

/** @param usage the arguments, without the name of the program */
export function helpOf(usage: string, about: string, options: Options, isOfStore = true): string {
  const lines = Object.entries(options).map(([name, { value, help }]) => {
    const form = `--${name}${value === undefined ? '' : ` <${value}>`}`
    return `${form.padEnd(COLUMN)}${help}`
  })
  const exits = 'Exit code: 0 done, 1 nothing found, 2 wrong use or no server, 3 stopped half-way.'
  const parts = [`Usage: connect-redis-hash ${usage}`, about, isOfStore ? URL_HELP : '', lines.join('\n'), exits]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

/** Prints the help. @returns the exit code */
export function helped(io: Io, help: string): number {
  io.out(help)
  return EXIT.fine
}
