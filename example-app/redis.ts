import { basename, join, relative } from 'node:path'
import { Redis } from 'ioredis'
import { startRedis } from '../scripts/embedded-redis.js'
import type { RedisAddress } from '../scripts/redis-wire.js'

export interface ShopRedis {
  client: Redis
  /** How to look into it from a terminal. */
  cli: string
  close(): Promise<void>
}

/** The Redis at REDIS_URL, or one of our own that keeps its data in `dataDir`. */
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
    async close() {
      await quit(client)
      await server.stop()
    },
  }
}

/** Waits for what is under way; but a Redis that is away must not keep the shop from closing. */
async function quit(client: Redis): Promise<void> {
  await client.quit().catch(() => client.disconnect())
}

async function connect(address: string | RedisAddress): Promise<Redis> {
  // A request should hear soon that Redis is away, rather than wait for it to come back.
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
