import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Io } from '../../src/cli/io.js'

export interface Ended {
  code: number
  out: string
  err: string
}

/** A subcommand in this process. What it throws for a person is in `err`. */
export async function runHere(
  command: { run(args: readonly string[], io: Io): Promise<number> },
  args: readonly string[],
  env: Io['env'] = {},
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
  }
  try {
    ended.code = await command.run(args, io)
  } catch (err) {
    if ((err as Error).name !== 'CommandError') throw err
    ended.err += `${(err as Error).message}\n`
  }
  return ended
}

/** The command as a process of its own, from source, in a shell: `doctor "$URL" | head -1`. */
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
