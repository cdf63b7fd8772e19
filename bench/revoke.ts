import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisStore } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { startRedis } from '../scripts/embedded-redis.js'

/**
 * "Log out everywhere" for a user with four sessions, among more and more sessions of others, on a server of its own with
 * default settings: `npm run bench:revoke`, or `npm run bench:revoke -- 10000 100000`. Milliseconds from call to answer.
 */
const SIZES = process.argv.slice(2).map(Number)
const sizes = SIZES.length > 0 ? SIZES : [10_000, 1_000_000]
const ROUNDS = 300
const BATCH = 2000
const SESSIONS_EACH = 4

const dir = mkdtempSync(join(tmpdir(), 'crh-bench-'))
const redis = await startRedis({ dir, persistent: false })
const client = new Redis(redis.socketPath as string)
const store = new RedisStore({ client, indexes: { user: (session) => session.userId } })
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

const make = (sid: string, userId: string) => store.set(sid, { cookie, userId, name: 'Ada', visits: 17 } as never)

/** Sessions of others, as the store writes them: through it, a million would take a quarter of an hour. */
async function fill(from: number, to: number): Promise<void> {
  await make('template', 'u')
  const [template] = await client.hmget('sess:template', '@')
  const ends = Date.now() + 86_400_000
  for (let at = from; at < to; at += BATCH) {
    const pipeline = client.pipeline()
    for (let i = at; i < Math.min(at + BATCH, to); i++) {
      const user = `other-${Math.floor(i / SESSIONS_EACH)}`
      const sid = String(i).padStart(32, 'abcdefghijklmnop')
      const fields = ['@', template as string, 'userId', `"${user}"`, 'name', '"Ada"', 'visits', '17', '@i:user', user]
      pipeline.hset(`sess:${sid}`, ...fields).pexpireat(`sess:${sid}`, ends)
      pipeline.zadd(`idx:sess:user:${user}`, ends, sid).pexpireat(`idx:sess:user:${user}`, ends)
    }
    await pipeline.exec()
    progress(`${at + BATCH} sessions`)
  }
}

/** Only where somebody watches: a pipe gets the results. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(30)}\r`)
}

async function measure(): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < SESSIONS_EACH; i++) await make(`mine-${i}`, 'ada')
    const start = performance.now()
    const ended = await store.destroyBy('user', 'ada')
    times.push(performance.now() - start)
    if (ended !== SESSIONS_EACH) throw new Error(`${ended} sessions were ended, not ${SESSIONS_EACH}`)
  }
  return times.sort((a, b) => a - b)
}

const [server = ''] = /redis_version:(\S+)/.exec(await client.info('server'))?.slice(1) ?? []
console.log(`destroyBy, a user with ${SESSIONS_EACH} sessions; Redis ${server}, Node ${process.versions.node}\n`)
console.log('sessions in all   median ms   p99 ms   ratio of medians')
let filled = 0
let first = 0
await measure()
for (const size of sizes) {
  await fill(filled, size)
  filled = size
  const times = await measure()
  const [median, p99] = [times[ROUNDS / 2] as number, times[Math.floor(ROUNDS * 0.99)] as number]
  first ||= median
  const cells = [String(size).padEnd(15), median.toFixed(2).padStart(11), p99.toFixed(2).padStart(8)]
  console.log(`${cells.join(' ')} ${(median / first).toFixed(2).padStart(10)}`)
}
client.disconnect()
await redis.stop()
rmSync(dir, { recursive: true, force: true })
