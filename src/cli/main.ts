#!/usr/bin/env node
import { createInterface } from 'node:readline/promises'
import type { Command } from './command.js'
import * as activity from './commands/activity.js'
import { completionOf } from './commands/completion.js'
import * as end from './commands/end.js'
import * as migrate from './commands/migrate.js'
import * as sessions from './commands/sessions.js'
import * as show from './commands/show.js'
import * as stats from './commands/stats.js'
import * as watch from './commands/watch.js'
import * as doctor from './doctor.js'
import { CommandError, EXIT, type Io } from './io.js'
import { version } from './version.js'

/** All subcommands but completion, which completes them. Each is one file with a summary and a function. */
const OTHERS: Readonly<Record<string, Command>> = { sessions, show, end, stats, activity, watch, migrate, doctor }
const SUBCOMMANDS: typeof OTHERS = { ...OTHERS, completion: completionOf(OTHERS) }

const HELP = `Usage: connect-redis-hash <command> [options] [url]

${Object.entries(SUBCOMMANDS)
  .map(([name, { SUMMARY }]) => `${name.padEnd(12)}${SUMMARY}`)
  .join('\n')}

connect-redis-hash <command> --help says more, connect-redis-hash --version which version this is.
`

const stop = new AbortController()
/** Whether nobody reads the output any more. */
let isCut = false

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => {
    if (!isCut) process.stderr.write(text)
  },
  env: process.env,
  hasColours: process.stdout.isTTY === true && !process.env.NO_COLOR,
  isTerminal: process.stdout.isTTY === true,
  isWatched: process.stderr.isTTY === true,
  // Some terminals say that they have no columns at all.
  columns: process.stdout.columns || process.stderr.columns || 80,
  stop: stop.signal,
  ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
}

/** Asks a question whose answer is no unless somebody types yes. */
async function ask(question: string): Promise<boolean> {
  const line = createInterface({ input: process.stdin, output: process.stderr })
  const broken = new AbortController()
  line.on('SIGINT', () => broken.abort())
  line.on('close', () => broken.abort())
  try {
    return /^y(es)?$/i.test((await line.question(question, { signal: broken.signal })).trim())
  } catch {
    process.stderr.write('\n')
    return false
  } finally {
    line.close()
  }
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    io.out(HELP)
    return EXIT.fine
  }
  if (name === '--version' || name === '-v') {
    io.out(`${version()}\n`)
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
    return err.exitCode
  }
}

// The reader may close its end early (`| head`).
process.stdout.on('error', (err: NodeJS.ErrnoException) => {
  if (err.code !== 'EPIPE') throw err
  isCut = true
  stop.abort()
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first one lets the command say how to go on. A second one means that nobody wants to wait for that.
    if (stop.signal.aborted) process.exit(EXIT.stopped)
    stop.abort()
  })
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = isCut && code === EXIT.stopped ? EXIT.fine : code
  },
  (err: unknown) => {
    // The message may contain the URL.
    io.err(`Failed unexpectedly (${err instanceof Error ? err.name : typeof err}).\n`)
    process.exitCode = EXIT.impossible
  },
)
