import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { dieWithParent } from '../src/testing/die-with-parent.js'
import { redisSocketPath } from './redis-socket-path.js'
import { type RedisAddress, RedisWire, sendOnce } from './redis-wire.js'

export interface StartRedisOptions {
  /** Path of redis-server or valkey-server. Default: `REDIS_SERVER_BIN`, then `redis-server` from PATH. */
  bin?: string
  /** Directory for data, log and socket. It is created if missing, and readable by this user only. */
  dir: string
  /**
   * true: data is kept in an append-only file in `dir` and survives restarts, and a server that still runs there is
   * reused. false: no data is kept.
   */
  persistent: boolean
  /** Listen on this port of 127.0.0.1 instead of on a Unix socket. */
  port?: number
  /** More command-line arguments for the server, e.g. `['--maxmemory', '4mb']`. */
  args?: string[]
}

export interface EmbeddedRedis {
  /** Options for `new Redis(options)`. */
  options: RedisAddress
  /** URL for `new Redis(url)` and redis-cli's `-u`. A Unix socket is given as its path. */
  url: string
  socketPath: string | undefined
  port: number | undefined
  pid: number
  /** True when the server was already running. */
  adopted: boolean
  /**
   * Shuts the server down and waits for its end. If another owner still uses the server, leaves it running and resolves
   * false.
   */
  stop(): Promise<boolean>
  /** Kills the server immediately, as a crash would, and waits for its end. */
  kill(): Promise<void>
}

const START_TIMEOUT_MS = 60_000
/**
 * Every owner of a persistent server keeps a connection of this name open, so that each can see whether it is the last.
 */
const OWNER = 'embedded-redis-owner'

export async function startRedis(options: StartRedisOptions): Promise<EmbeddedRedis> {
  const dir = resolve(options.dir)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const address: RedisAddress = options.port
    ? { host: '127.0.0.1', port: options.port }
    : { path: redisSocketPath(dir) }

  // A server on the socket in our own directory is ours; a server on a port could be anybody's.
  if (options.persistent && 'path' in address && (await isListening(address))) {
    await waitUntilReady(address, dir)
    return handleFor(address, await readPid(address), { adopted: true, owned: true })
  }
  const child = launch(options, dir, address)
  await waitUntilReady(address, dir, child)
  const callOff = options.persistent ? undefined : dieWithParent(child.pid!)
  child.once('exit', () => callOff?.())
  return handleFor(address, child.pid!, { adopted: false, owned: options.persistent })
}

function launch(options: StartRedisOptions, dir: string, address: RedisAddress): ChildProcess {
  const bin = options.bin ?? process.env.REDIS_SERVER_BIN ?? 'redis-server'
  const listen =
    'path' in address
      ? ['--port', '0', '--unixsocket', address.path, '--unixsocketperm', '700']
      : ['--bind', '127.0.0.1', '--port', String(address.port)]
  const keep = options.persistent ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : ['--appendonly', 'no']
  const log = openSync(join(dir, 'redis.log'), 'w', 0o600)
  try {
    // Detached, because Ctrl-C in a terminal reaches the whole process group, and Redis must outlive the requests in
    // progress.
    const child = spawn(bin, ['--dir', dir, '--save', '', ...keep, ...listen, ...(options.args ?? [])], {
      stdio: ['ignore', log, log],
      detached: true,
    })
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

async function isListening(address: RedisAddress): Promise<boolean> {
  try {
    const wire = await RedisWire.open(address)
    wire.close()
    return true
  } catch {
    // There is no socket, or a stale one, which the server removes before it listens.
    return false
  }
}

/** Waits until the server answers a command. While it loads its data, it accepts connections but refuses commands. */
async function waitUntilReady(address: RedisAddress, dir: string, child?: ChildProcess): Promise<void> {
  let failure: string | undefined
  child?.once('error', (error) => {
    failure = `could not be run (${(error as NodeJS.ErrnoException).code ?? error.message})`
  })
  child?.once('exit', (code, signal) => {
    failure ??= `ended while starting (${signal ?? `exit code ${code}`})`
  })
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!failure) {
    if (await isReady(address, child)) return
    await sleep(10)
    if (Date.now() > deadline) failure ??= `was not ready within ${START_TIMEOUT_MS / 1000} seconds`
  }
  if (child?.pid) child.kill('SIGKILL')
  throw new Error(`Redis ${failure}\n${lastLines(join(dir, 'redis.log'))}`.trimEnd())
}

async function isReady(address: RedisAddress, child?: ChildProcess): Promise<boolean> {
  try {
    const reply = await sendOnce(address, ['PING'])
    if (reply.startsWith('-NOAUTH')) return true
    if (reply !== '+PONG') return false
    // On a port, another Redis may answer while ours is about to fail.
    return 'path' in address || (await readPid(address)) === child?.pid
  } catch {
    return false
  }
}

function lastLines(file: string, count = 8): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n')
  } catch {
    return ''
  }
}

async function readPid(address: RedisAddress): Promise<number> {
  const pid = Number(/^process_id:(\d+)/m.exec(await sendOnce(address, ['INFO', 'server']))?.[1])
  if (!pid) throw new Error('A Redis is running on the socket but does not tell its process id')
  return pid
}

async function handleFor(
  address: RedisAddress,
  pid: number,
  { adopted, owned }: { adopted: boolean; owned: boolean },
): Promise<EmbeddedRedis> {
  const ownership = owned ? await claim(address) : undefined
  const socketPath = 'path' in address ? address.path : undefined
  const port = 'port' in address ? address.port : undefined

  async function end(signal: NodeJS.Signals): Promise<void> {
    ownership?.close()
    sendSignal(pid, signal)
    // An adopted server is no child process. Its process id stays after its end if its parent does not reap it.
    while (adopted ? await isListening(address) : sendSignal(pid, 0)) await sleep(10)
  }

  return {
    options: address,
    url: socketPath ?? `redis://127.0.0.1:${port}`,
    socketPath,
    port,
    pid,
    adopted,
    kill: () => end('SIGKILL'),
    async stop() {
      if (ownership && (await hasOtherOwners(ownership))) {
        ownership.close()
        return false
      }
      await end('SIGTERM')
      return true
    },
  }
}

async function claim(address: RedisAddress): Promise<RedisWire> {
  const wire = await RedisWire.open(address)
  wire.unref()
  await wire.send(['CLIENT', 'SETNAME', OWNER])
  return wire
}

async function hasOtherOwners(ownership: RedisWire): Promise<boolean> {
  const clients = await ownership.send(['CLIENT', 'LIST']).catch(() => '')
  return clients.split('\n').filter((line) => line.includes(` name=${OWNER} `)).length > 1
}

/** Returns false if there is no such process. Signal 0 only checks. */
function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}
