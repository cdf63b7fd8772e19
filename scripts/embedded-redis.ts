import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { dieWithParent } from './die-with-parent.js'
import { redisSocketPath } from './redis-socket-path.js'
import { type RedisAddress, RedisWire, sendOnce } from './redis-wire.js'

export interface StartRedisOptions {
  /** Path of redis-server or valkey-server. Default: `REDIS_SERVER_BIN`, then `redis-server` from PATH. */
  bin?: string
  /** Directory for data, log and socket; created when missing, readable by this user only. */
  dir: string
  /** True: append-only file in `dir`, survives restarts, adopts a server that still runs there. False: nothing is kept. */
  persistent: boolean
  /** Listen on this port of 127.0.0.1 instead of on a Unix socket. */
  port?: number
  /** More command-line arguments for the server, e.g. `['--maxmemory', '4mb']`. */
  args?: string[]
}

export interface EmbeddedRedis {
  /** For `new Redis(options)`. */
  options: RedisAddress
  /** For `new Redis(url)` and redis-cli's `-u`; a Unix socket is its plain path. */
  url: string
  socketPath: string | undefined
  port: number | undefined
  pid: number
  /** True when the server was already running. */
  adopted: boolean
  /** Shuts the server down and waits for its end; one that another owner still uses is left to that owner (`false`). */
  stop(): Promise<boolean>
  /** Ends the server at once, as a crash would, and waits for its end. */
  kill(): Promise<void>
}

const START_TIMEOUT_MS = 15_000
/** Every owner of a persistent server keeps a connection of this name open, so that the last one knows it is the last. */
const OWNER = 'embedded-redis-owner'

export async function startRedis(options: StartRedisOptions): Promise<EmbeddedRedis> {
  const dir = resolve(options.dir)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const address: RedisAddress = options.port
    ? { host: '127.0.0.1', port: options.port }
    : { path: redisSocketPath(dir) }

  // Only the socket in our own directory tells that the server is ours; a port could be anybody's.
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
    // Detached: Ctrl-C in a terminal reaches the whole group, and Redis must outlive the requests still under way.
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
    // No socket, or a stale one: the server removes that itself before it listens.
    return false
  }
}

/** Ready means that it answers a command: while loading its data the server accepts connections and refuses commands. */
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
    // On a port somebody else's Redis may answer, while ours is about to fail.
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
    // An adopted server is not our child: where nothing reaps it, its process id stays after its end.
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

/** False when there is no such process; signal 0 only asks. */
function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}
