import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The directory of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @param {...string} path below node_modules */
export const installed = (...path) => join(root, 'node_modules', ...path)

/**
 * Runs a program to its end, with the input and output of this process.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} its exit code; 128 + the number of the signal if a signal ended it; 127 if it cannot be
 *   run
 */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options })
    const unforward = forwardSignals(child)
    child.once('error', () => settle(127))
    child.once('close', (code, signal) => settle(code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0)))
    /** @param {number} code */
    function settle(code) {
      unforward()
      resolve(code)
    }
  })
}

/**
 * Runs a program to its end and collects its output.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{ code: number, stdout: string, output: string }>} `output` is stdout and stderr in the order they
 *   came
 */
export async function capture(program, args, options = {}) {
  let stdout = ''
  let output = ''
  const child = spawn(program, args, { cwd: root, ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
    output += chunk
  })
  child.stderr?.on('data', (chunk) => {
    output += chunk
  })
  const code = await new Promise((resolve) => {
    child.once('error', (error) => {
      output += error.message
      resolve(127)
    })
    child.once('close', (status) => resolve(status ?? 1))
  })
  return { code, stdout, output }
}

/** The npm that runs this script, so that `npm start` uses the same npm to install. */
export function npm() {
  const cli = process.env.npm_execpath
  return cli?.endsWith('.js') ? { program: process.execPath, args: [cli] } : { program: 'npm', args: [] }
}

/** @type {Record<string, number>} */
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

/**
 * Forwards signals to the child, which decides how to end; this process waits for it.
 *
 * @param {import('node:child_process').ChildProcess} child
 */
function forwardSignals(child) {
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => child.kill(signal)
  for (const signal of signals) process.on(signal, forward)
  return () => {
    for (const signal of signals) process.off(signal, forward)
  }
}
