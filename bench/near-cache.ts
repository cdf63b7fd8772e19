import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisStore } from 'connect-redis-hash'
import { RedisStore as ConnectRedis } from 'connect-redis10'
import type { Request } from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { startRedis } from '../scripts/embedded-redis.js'

/**
 * CPU time of this process for the `get` and `touch` of a request that only reads: near cache, no cache, and connect-redis
 * with node-redis. Each in turn, several rounds, medians, one request after the other and 20 at once: `npm run bench:cache`.
 */
const ROUNDS = 7
const SESSIONS = 20
const Cookie = session.Cookie as unknown as new (options: session.CookieOptions) => session.Cookie

const dir = mkdtempSync(join(tmpdir(), 'crh-bench-'))
const redis = await startRedis({ dir, persistent: false })
const client = new Redis(redis.socketPath as string)
const nodeRedis = createClient({ socket: { path: redis.socketPath as string, tls: false } })
await nodeRedis.connect()
const stores: Record<string, session.Store> = {
  'near cache': new RedisStore({ client, prefix: 'a:', cache: { max: 10_000, maxAge: 60 } }),
  'no cache': new RedisStore({ client, prefix: 'b:' }),
  'connect-redis': new ConnectRedis({ client: nodeRedis, prefix: 'c:' }),
  MemoryStore: new session.MemoryStore(),
}

function request(store: session.Store, sid: string): Promise<void> {
  return new Promise((resolve, reject) => {
    store.get(sid, (err, data) => {
      if (err || !data) return reject(err ?? new Error('no session'))
      store.touch?.(sid, data, (touchErr?: unknown) => (touchErr ? reject(touchErr) : resolve()))
    })
  })
}

async function cpu(store: session.Store, times: number, atOnce: number): Promise<number> {
  const start = process.cpuUsage()
  for (let i = 0; i < times; i += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, j) => request(store, `sid-${(i + j) % SESSIONS}`)))
  }
  const { user, system } = process.cpuUsage(start)
  return (user + system) / times
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] as number

await new Promise((resolve) => setTimeout(resolve, 1000))
for (const bytes of [20, 2000]) {
  const held = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`field${i}`, 'x'.repeat(bytes)]))
  for (const store of Object.values(stores)) {
    for (let j = 0; j < SESSIONS; j++) {
      const req = { sessionID: `sid-${j}`, sessionStore: store } as unknown as Request
      const live = store.createSession(req, { cookie: new Cookie({ maxAge: 3_600_000 }) } as session.SessionData)
      await new Promise<void>((resolve) => store.set(`sid-${j}`, Object.assign(live, held), () => resolve()))
    }
    await cpu(store, 4000, 1)
  }
  for (const atOnce of [1, 20]) await compare(bytes, atOnce)
}

async function compare(bytes: number, atOnce: number): Promise<void> {
  const measured = Object.fromEntries(Object.keys(stores).map((name) => [name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, store] of Object.entries(stores)) measured[name]?.push(await cpu(store, 6000, atOnce))
  }
  const medians = Object.fromEntries(Object.entries(measured).map(([name, values]) => [name, median(values)]))
  const theirs = medians['connect-redis'] as number
  console.log(`\n8 fields x ${bytes} B, ${atOnce} at once: microseconds of CPU, ratio to connect-redis 10 + node-redis`)
  console.table(
    Object.fromEntries(
      Object.entries(medians).map(([name, us]) => [name, { us: us.toFixed(1), ratio: (us / theirs).toFixed(3) }]),
    ),
  )
}

console.log('near cache:', (stores['near cache'] as RedisStore).cacheStats)

await (stores['near cache'] as RedisStore).close()
await nodeRedis.close()
await client.quit()
await redis.stop()
rmSync(dir, { recursive: true, force: true })
