import { setTimeout as sleep } from 'node:timers/promises'
import { privateRedis } from './private-redis.js'
import { unlessStalled } from './unless-stalled.js'

const PAUSE_MS = 300

function standStill(): void {
  for (const end = performance.now() + PAUSE_MS; performance.now() < end; );
}

/** Counts attempts, each of which fails. */
async function attempts(work: () => unknown, at?: { path: string }, allowedMs = PAUSE_MS - 50): Promise<number> {
  let count = 0
  const running = unlessStalled(
    allowedMs,
    async () => {
      count += 1
      await work()
      throw new Error('as always')
    },
    at,
  )
  await expect(running).rejects.toThrow('as always')
  return count
}

test('a failure on a machine that kept pace counts at once', async () => {
  // However busy this machine is.
  expect(await attempts(() => sleep(20), undefined, 60_000)).toBe(1)
})

test('a failure after a pause is tried again, and counts in the end', async () => {
  expect(await attempts(standStill)).toBe(5)
})

test('a pause of Redis is one, too', async () => {
  const redis = await privateRedis()
  const paused = async () => {
    process.kill(redis.pid, 'SIGSTOP')
    await sleep(PAUSE_MS)
    process.kill(redis.pid, 'SIGCONT')
  }
  expect(await attempts(paused, { path: redis.socketPath })).toBe(5)
  await redis.stop()
})

test('a Redis that is not there excuses nothing', async () => {
  expect(await attempts(() => sleep(PAUSE_MS), { path: '/nowhere/redis.sock' })).toBe(1)
})

test('the first attempt that goes well is the last one', async () => {
  let count = 0
  await unlessStalled(PAUSE_MS - 50, async () => {
    count += 1
    if (count > 1) return
    standStill()
    throw new Error('once')
  })
  expect(count).toBe(2)
})
