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
 * Bytes per session in Redis, ours next to connect-redis, on a server of its own with default settings:
 * `npm run bench:memory`. Total is the growth of used_memory, so it holds everything a key costs.
 */
const SESSIONS = 5000
const Cookie = session.Cookie as unknown as new (options: session.CookieOptions) => session.Cookie

const contents = {
  'nine fields': {
    userId: 'u-12345678',
    name: 'Ada Lovelace',
    role: 'admin',
    locale: 'en-GB',
    theme: 'dark',
    cart: [1, 2, 3],
    csrfToken: 'k3J9x0Qw8Zr5Tt6Y1u2I',
    lastPage: '/products/42',
    visits: 17,
  },
  'Passport only': { passport: { user: '5f1e7a9b2c3d4e5f60718293' } },
}
const cookies: Record<string, session.CookieOptions> = {
  'session cookie': {},
  'maxAge, secure, lax': { maxAge: 1_800_000, secure: true, sameSite: 'lax' },
}

const dir = mkdtempSync(join(tmpdir(), 'crh-bench-'))
const redis = await startRedis({ dir, persistent: false })
const client = new Redis(redis.socketPath as string)
const nodeRedis = createClient({ socket: { path: redis.socketPath as string, tls: false } })
await nodeRedis.connect()
const stores = { ours: new RedisStore({ client }), theirs: new ConnectRedis({ client: nodeRedis }) }

/** Bytes one session costs, and how Redis encodes it. */
async function measure(store: session.Store, cookie: session.CookieOptions, content: object) {
  await client.flushall()
  const before = await usedMemory()
  for (let i = 0; i < SESSIONS; i++) {
    const sid = String(i).padStart(32, 'abcdefghijklmnop')
    const req = { sessionID: sid, sessionStore: store } as unknown as Request
    const live = store.createSession(req, { cookie: new Cookie(cookie) } as session.SessionData)
    Object.assign(live, content)
    await new Promise<void>((resolve, reject) => {
      store.set(sid, live, (err) => (err ? reject(err) : resolve()))
    })
  }
  const total = Math.round(((await usedMemory()) - before) / SESSIONS)
  const key = (await client.randomkey()) as string
  return { total, usage: Number(await client.memory('USAGE', key)), encoding: await client.object('ENCODING', key) }
}

async function usedMemory(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
}

// Scripts and code paths cost memory once; that is not the sessions'.
for (const store of Object.values(stores)) await measure(store, {}, {})

const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1]
console.log(`bytes per session, Redis ${version}, ${SESSIONS} sessions each; ratio = ours / connect-redis 10\n`)
const rows: Record<string, string | number>[] = []
for (const [what, content] of Object.entries(contents)) {
  for (const [which, cookie] of Object.entries(cookies)) {
    const ours = await measure(stores.ours, cookie, content)
    const theirs = await measure(stores.theirs, cookie, content)
    rows.push({
      session: what,
      cookie: which,
      ours: ours.total,
      'connect-redis': theirs.total,
      ratio: (ours.total / theirs.total).toFixed(2),
      'ours, MEMORY USAGE': ours.usage,
      theirs: theirs.usage,
      'ratio ': (ours.usage / theirs.usage).toFixed(2),
      encoding: String(ours.encoding),
    })
  }
}
console.table(rows)

await nodeRedis.close()
await client.quit()
await redis.stop()
rmSync(dir, { recursive: true, force: true })
