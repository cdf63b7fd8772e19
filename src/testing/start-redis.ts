import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { connect, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkNames } from '../known-options.js'
import { dieWithParent } from './die-with-parent.js'
import { freePort } from './free-port.js'
import { refuseProduction } from './refuse-production.js'

export interface StartRedisOptions {
  /** Path of redis-server or valkey-server. Default: `REDIS_SERVER_BIN`, else whichever of the two is on PATH. */
  bin?: string
  /** More arguments for the server, e.g. `['--maxmemory', '4mb']`. */
  args?: readonly string[]
}

/** A Redis server of one test run. */
export interface PrivateRedis {
  /** e.g. `redis://127.0.0.1:40123` */
  readonly url: string
  /** Ends the server, and resolves when it has ended. It also ends with this process. */
  stop(): Promise<void>
}

const NAMES: Record<keyof StartRedisOptions, 0> = { bin: 0, args: 0 }
const PROGRAMS = ['redis-server', 'valkey-server']
const START_TIMEOUT_MS = 30_000
/** Another process may take a free port before the server listens on it. */
const ATTEMPTS = 5

/**
 * Starts a real Redis server that nobody else uses, on a free port of 127.0.0.1. It keeps nothing on disk.
 *
 * @throws TypeError for wrong options; Error if there is no server program, if it does not start, or with
 *   NODE_ENV=production
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<PrivateRedis> {
  refuseProduction('startRedis()')
  const { bin, args } = checked(options)
  for (let attempt = 1; ; attempt++) {
    const started = await start(bin, await freePort(), args)
    if (typeof started !== 'string') return started
    if (attempt === ATTEMPTS || !/already in use/.test(started)) throw new Error(`${bin} did not start: ${started}`)
  }
}

function checked(options: StartRedisOptions): { bin: string; args: readonly string[] } {
  checkNames('startRedis', options, NAMES, "startRedis({ args: ['--maxmemory', '4mb'] })")
  const { bin = process.env.REDIS_SERVER_BIN || programOnPath(), args = [] } = options
  if (bin !== undefined && (typeof bin !== 'string' || bin === '')) {
    throw new TypeError('"bin" option must be the path of redis-server or valkey-server')
  }
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === 'string')) {
    throw new TypeError('"args" option must be a list of texts')
  }
  if (bin !== undefined) return { bin, args }
  throw new Error('startRedis() finds no redis-server or valkey-server on PATH: install one, or name it with "bin"')
}

function programOnPath(): string | undefined {
  const directories = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  return PROGRAMS.flatMap((name) => directories.map((directory) => join(directory, name))).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Resolves the server, or why it has not started. */
async function start(bin: string, port: number, more: readonly string[]): Promise<PrivateRedis | string> {
  const own = ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--appendonly', 'no', '--dir', tmpdir()]
  // Detached, because Ctrl-C in a terminal reaches the whole process group, and the tests may still need it to clean up.
  const child = spawn(bin, [...own, ...more], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const failure = failureOf(child)
  const end = performance.now() + START_TIMEOUT_MS
  while (isRunning(child)) {
    if (await isServing(port, child.pid)) return serving(child, port)
    if (performance.now() > end) {
      child.kill('SIGKILL')
      return `it did not answer within ${START_TIMEOUT_MS / 1000} seconds`
    }
    await sleep(10)
  }
  return failure
}

function isRunning({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null
}

/** Resolves why the server has ended: the last lines of its log say it. */
function failureOf(child: ChildProcess): Promise<string> {
  let log = ''
  for (const output of outputsOf(child)) {
    output.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-2000)
    })
  }
  return new Promise((resolve) => {
    child.once('error', (err: NodeJS.ErrnoException) => resolve(`it could not be run (${err.code ?? err.message})`))
    child.once('close', (code, signal) => resolve(`${log.trim()}\n(${signal ?? `exit code ${code}`})`.trim()))
  })
}

/** Neither the server nor its log keeps this process alive, and it ends with this process. */
function serving(child: ChildProcess, port: number): PrivateRedis {
  child.once('exit', dieWithParent(child.pid as number))
  child.unref()
  for (const output of outputsOf(child)) output.unref()
  return { url: `redis://127.0.0.1:${port}`, stop: () => stop(child) }
}

/** Whether the process that answers on the port is this server, rather than one that has taken the port before. */
function isServing(port: number, pid: number | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    let said = ''
    const settle = (is: boolean) => {
      socket.destroy()
      resolve(is)
    }
    socket.setEncoding('utf8').setTimeout(1000, () => settle(false))
    socket.on('error', () => settle(false)).on('close', () => settle(false))
    socket.on('connect', () => socket.write('INFO server\r\n'))
    socket.on('data', (text: string) => {
      said += text
      const told = /^process_id:(\d+)/m.exec(said)
      if (told) settle(Number(told[1]) === pid)
      // With a password among the arguments, it answers nothing else.
      else if (said.startsWith('-NOAUTH')) settle(true)
      else if (said.startsWith('-')) settle(false)
    })
  })
}

function outputsOf({ stdout, stderr }: ChildProcess): Socket[] {
  return [stdout, stderr].filter((output) => output instanceof Socket)
}

async function stop(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return
  const ended = once(child, 'exit')
  child.ref()
  child.kill('SIGTERM')
  await ended
}
