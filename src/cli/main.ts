#!/usr/bin/env node
import * as doctor from './doctor.js'
import { CommandError, EXIT, type Io } from './io.js'

/** All subcommands. Each is one file with a summary and a function. */
const SUBCOMMANDS: Readonly<
  Record<string, { SUMMARY: string; run(args: readonly string[], io: Io): Promise<number> }>
> = { doctor }

const HELP = `Usage: connect-redis-hash <command> [options]

${Object.entries(SUBCOMMANDS)
  .map(([name, { SUMMARY }]) => `${name.padEnd(10)}${SUMMARY}`)
  .join('\n')}

connect-redis-hash <command> --help says more.
`

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  hasColours: process.stdout.isTTY === true && !process.env.NO_COLOR,
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    io.out(HELP)
    return EXIT.fine
  }
  const subcommand = name !== undefined && Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined
  if (subcommand === undefined) {
    io.err(HELP)
    return EXIT.impossible
  }
  try {
    return await subcommand.run(args, io)
  } catch (err) {
    if (!(err instanceof CommandError)) throw err
    io.err(`${err.message}\n`)
    return EXIT.impossible
  }
}

// The reader may close its end early (`| head`).
process.stdout.on('error', (err: NodeJS.ErrnoException) => {
  if (err.code !== 'EPIPE') throw err
})
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (err: unknown) => {
    // The message may contain the URL.
    io.err(`Failed unexpectedly (${err instanceof Error ? err.name : typeof err}).\n`)
    process.exitCode = EXIT.impossible
  },
)
