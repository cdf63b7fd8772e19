import { basename, join, relative } from 'node:path'
import { Redis } from 'ioredis'
import { startRedis } from '../scripts/embedded-redis.js'
import type { RedisAddress } from '../scripts/redis-wire.js'
import type { PauseRedis } from './outage.js'

export interface ShopRedis {
  client: Redis
  /** The redis-cli command that connects to it from a terminal. */
  cli: string
  /** Makes Redis silent for so many milliseconds. Undefined if it is somebody's, who may need it. */
  pause?: PauseRedis
  close(): Promise<void>
}

/** Connects to the Redis at REDIS_URL, or starts one that keeps its data in `dataDir`. */
export async function openRedis(dataDir: string): Promise<ShopRedis> {
  const url = process.env.REDIS_URL
  if (url) {
    const client = await connect(url)
    return { client, cli: 'redis-cli -u "$REDIS_URL"', close: () => quit(client) }
  }
  const server = await startRedis({ dir: join(dataDir, 'redis'), persistent: true })
  const client = await connect(server.options)
  const program = basename(process.env.REDIS_SERVER_BIN ?? 'redis-server').replace('server', 'cli')
  const socket = relative('.', server.socketPath!)
  return {
    client,
    cli: `${program} -s ${socket}`,
    // Redis counts the time itself: it comes back even if the shop is killed meanwhile.
    pause: async (ms) => void (await client.client('PAUSE', ms)),
    async close() {
      await quit(client)
      await server.stop()
    },
  }
}

/** Waits for commands in progress. A Redis that is unavailable must not keep the shop from closing. */
async function quit(client: Redis): Promise<void> {
  await client.quit().catch(() => client.disconnect())
}

async function connect(address: string | RedisAddress): Promise<Redis> {
  // A request should fail soon if Redis is unavailable, instead of waiting for it.
  const options = { lazyConnect: true, maxRetriesPerRequest: 1, connectionName: 'example-app' }
  const client = typeof address === 'string' ? new Redis(address, options) : new Redis({ ...address, ...options })
  let last = ''
  client.on('error', (error: NodeJS.ErrnoException) => {
    const text = error.code ?? error.message
    if (text !== last) console.error(`Redis: ${text}`)
    last = text
  })
  client.on('ready', () => {
    last = ''
  })
  try {
    await client.connect()
    return client
  } catch {
    client.disconnect()
    throw new Error('Redis cannot be reached. Is REDIS_URL right, and is a server running there?')
  }
}
