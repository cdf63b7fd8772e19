import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { sendOnce } from '../../scripts/redis-wire.js'
import { dieWithParent } from '../../src/testing/die-with-parent.js'
import { until } from './until.js'

/** Long enough for a busy machine. Nobody asks a process that is halted. */
const PATIENCE_MS = 20_000

/** One redis-server process on 127.0.0.1 that a test can kill, halt and restart. It ends with the test. */
export class RedisNode {
  readonly port: number
  readonly dir: string
  readonly #args: readonly string[]
  #child: ChildProcess | undefined
  #callOff: (() => void) | undefined
  #isHalted = false

  /** @param args arguments of redis-server; a configuration file comes first */
  constructor(dir: string, port: number, args: readonly string[]) {
    this.dir = dir
    this.port = port
    this.#args = args
    mkdirSync(dir, { recursive: true, mode: 0o700 })
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.port }
  }

  /** Whether the process is neither killed nor halted. */
  get isServing(): boolean {
    return this.#child !== undefined && !this.#isHalted
  }

  /** Starts the process, or restarts it after `kill`, and waits until it answers. */
  async start(): Promise<void> {
    const log = openSync(join(this.dir, 'redis.log'), 'a', 0o600)
    const args = [...this.#args, '--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.dir]
    const bin = process.env.REDIS_SERVER_BIN ?? 'redis-server'
    const child = spawn(bin, args, { stdio: ['ignore', log, log], detached: true })
    closeSync(log)
    child.unref()
    child.once('error', () => {})
    this.#child = child
    if (child.pid !== undefined) this.#callOff = dieWithParent(child.pid)
    await until(`redis-server on ${this.port} answers`, async () => {
      if (child.exitCode !== null) throw new Error(`it has ended, see ${this.dir}/redis.log`)
      return (await this.send('PING')) === '+PONG'
    })
  }

  /** Sends a command over a new connection and resolves the raw reply. */
  send(...command: (string | number)[]): Promise<string> {
    return sendOnce(this.address, command.map(String), PATIENCE_MS)
  }

  /** Reads one field of INFO or CLUSTER INFO: `field('INFO', 'role')`. */
  async field(command: string, name: string): Promise<string | undefined> {
    const text = await this.send(...command.split(' '))
    return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1]
  }

  /** Kills the process (SIGKILL), as a crash or the loss of the machine does. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    this.#isHalted = false
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    // Keep this process alive: with nothing else to do, it would end with code 0 while it waits.
    child.ref()
    const exit = once(child, 'exit')
    this.#signal(child, 'SIGKILL')
    await exit
    this.#callOff?.()
  }

  /** Stops the process (SIGSTOP). Its connections stay open, but it does not reply. */
  halt(): void {
    this.#signal(this.#child, 'SIGSTOP')
    this.#isHalted = true
  }

  /** Continues the process (SIGCONT), which handles all commands that have arrived meanwhile. */
  resume(): void {
    this.#signal(this.#child, 'SIGCONT')
    this.#isHalted = false
  }

  #signal(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
    if (child?.pid !== undefined) process.kill(child.pid, signal)
  }
}

const SLICES = 10
const SLICE = 1000

/** Finds ports of 127.0.0.1 that are free now. A Cluster node also uses the port 10,000 above. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  // Each worker has its own range, so that no other test takes the port of a node that is down for a moment.
  const slice = Number(process.env.JEST_WORKER_ID ?? 0) % SLICES
  while (ports.size < count) {
    // Choose ports below those that the kernel assigns by itself.
    const port = 12_000 + slice * SLICE + Math.floor(Math.random() * SLICE)
    if ((await isFree(port)) && (await isFree(port + 10_000))) ports.add(port)
  }
  return [...ports]
}

/** Finds one free port. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port as number
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const listening = once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.listen(port, '127.0.0.1')
  const free = await listening
  if (free) await new Promise((resolve) => server.close(resolve))
  return free
}
