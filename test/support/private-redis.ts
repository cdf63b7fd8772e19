import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis, type RedisOptions } from 'ioredis'
import { startRedis } from '../../scripts/embedded-redis.js'
import { bePatientWith } from './patience.js'

/** A Redis for one test file, for tests that would disturb the Redis that all files share. */
export interface PrivateRedis {
  dir: string
  pid: number
  socketPath: string
  /** A client for the test itself, to look at keys and change the configuration. */
  admin: Redis
  /** A client that reconnects fast. It is closed together with the server. */
  connect(options?: Omit<RedisOptions, 'replyMapping'>): Redis
  /** Number of calls of each command since the last call of this function, without the commands it sends itself. */
  takeCalls(): Promise<Record<string, number>>
  stop(): Promise<void>
}

/** @param isStopped whether the test stops it: stores that cannot be told how long to wait then wait as by default */
export async function privateRedis(args: string[] = [], { isStopped = false } = {}): Promise<PrivateRedis> {
  const dir = mkdtempSync(join(tmpdir(), 'crh-'))
  const redis = await startRedis({ dir, persistent: false, args })
  const socketPath = redis.socketPath as string
  if (!isStopped) bePatientWith(socketPath)
  const clients: Redis[] = []

  function connect(options: Omit<RedisOptions, 'replyMapping'> = {}): Redis {
    const client = new Redis({ path: socketPath, retryStrategy: () => 20, disconnectTimeout: 100, ...options })
    // Without a listener, ioredis prints every failed connection.
    client.on('error', () => {})
    clients.push(client)
    return client
  }

  const admin = connect()
  return {
    dir,
    pid: redis.pid,
    socketPath,
    admin,
    connect,
    async takeCalls() {
      const stats = await admin.info('commandstats')
      await admin.config('RESETSTAT')
      const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, n]) => [name, Number(n)])
      // Before Redis 7.0, a subcommand counts as its command.
      const { info: _info, config: _config, 'config|resetstat': _reset, ...others } = Object.fromEntries(calls)
      return others
    },
    async stop() {
      for (const client of clients) client.disconnect()
      await redis.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
