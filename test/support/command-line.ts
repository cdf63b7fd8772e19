import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { CommandError, Io } from '../../src/cli/io.js'

export interface Ended {
  code: number
  out: string
  err: string
}

/** Runs a subcommand in this process. `err` contains the error message for the user. */
export async function runHere(
  command: { run(args: readonly string[], io: Io): Promise<number> },
  args: readonly string[],
  env: Io['env'] = {},
  others: Partial<Io> = {},
): Promise<Ended> {
  const ended: Ended = { code: 2, out: '', err: '' }
  const io: Io = {
    out(text) {
      ended.out += text
    },
    err(text) {
      ended.err += text
    },
    env,
    hasColours: false,
    isTerminal: false,
    isWatched: false,
    columns: 80,
    stop: new AbortController().signal,
    ask: undefined,
    ...others,
  }
  try {
    ended.code = await command.run(args, io)
  } catch (err) {
    if ((err as Error).name !== 'CommandError') throw err
    ended.code = (err as CommandError).exitCode
    ended.err += `${(err as Error).message}\n`
  }
  return ended
}

/** Runs the command from source in a child process and a shell: `doctor "$URL" | head -1`. */
export async function runInShell(script: string, env: Record<string, string> = {}): Promise<Ended> {
  const main = join(process.cwd(), 'src', 'cli', 'main.ts')
  const prelude = `set -o pipefail\nconnect-redis-hash() { '${process.execPath}' --import tsx '${main}' "$@"; }`
  const child = spawn('bash', ['-c', `${prelude}\n${script}`], { env: { ...process.env, NO_COLOR: '', ...env } })
  const ended: Ended = { code: -1, out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    ended.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    ended.err += chunk
  })
  ended.code = await new Promise((resolve) => {
    child.on('close', (code) => resolve(code ?? -1))
  })
  return ended
}
