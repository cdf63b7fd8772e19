import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EmbeddedRedis, startRedis } from '../../scripts/embedded-redis.js'
import { sendOnce } from '../../scripts/redis-wire.js'

let dir: string
const running: EmbeddedRedis[] = []

async function start(options: { persistent: boolean; dir?: string; args?: string[] }): Promise<EmbeddedRedis> {
  const redis = await startRedis({ dir, ...options })
  running.push(redis)
  return redis
}

const set = (redis: EmbeddedRedis, value: string) => sendOnce(redis.options, ['SET', 'key', value])
const get = (redis: EmbeddedRedis) => sendOnce(redis.options, ['GET', 'key'])

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'embedded-redis-'))
})

afterEach(async () => {
  await Promise.all(running.splice(0).map((redis) => redis.kill()))
  rmSync(dir, { recursive: true, force: true })
})

test('starts on a socket that only this user may open, and is gone after stop', async () => {
  const redis = await start({ persistent: false })
  expect(await sendOnce(redis.options, ['PING'])).toBe('+PONG')
  expect(statSync(redis.socketPath!).mode & 0o777).toBe(0o700)
  expect(await redis.stop()).toBe(true)
  await expect(sendOnce(redis.options, ['PING'])).rejects.toThrow()
})

test('without persistence a restart begins empty', async () => {
  const first = await start({ persistent: false })
  await set(first, 'lost')
  await first.stop()
  expect(await get(await start({ persistent: false }))).toBe('$-1')
})

test.each(['stop', 'kill'] as const)('with persistence data survives %s', async (ending) => {
  const first = await start({ persistent: true })
  await set(first, 'kept')
  await first[ending]()
  const second = await start({ persistent: true })
  expect(second.adopted).toBe(false)
  expect(await get(second)).toBe('kept')
})

test('adopts a server that still runs, and the last owner stops it', async () => {
  const first = await start({ persistent: true })
  await set(first, 'shared')
  const second = await start({ persistent: true })
  expect(second).toMatchObject({ adopted: true, pid: first.pid })
  expect(await first.stop()).toBe(false)
  expect(await get(second)).toBe('shared')
  expect(await second.stop()).toBe(true)
  await expect(get(second)).rejects.toThrow()
})

test('a directory whose name is too long for a socket gets a short one elsewhere', async () => {
  const long = join(dir, 'x'.repeat(120))
  mkdirSync(long)
  const redis = await start({ persistent: true, dir: long })
  expect(redis.socketPath!.length).toBeLessThan(100)
  await redis.stop()
  rmSync(dirname(redis.socketPath!), { recursive: true })
})

test('a server that cannot start is an error that shows what the server said', async () => {
  await expect(start({ persistent: false, args: ['--no-such-option', '1'] })).rejects.toThrow(/no-such-option/)
  await expect(startRedis({ dir, persistent: false, bin: '/no/such/redis-server' })).rejects.toThrow(/ENOENT/)
})

test('a server that keeps nothing dies with a parent that was killed hard', async () => {
  const script = `
    import { startRedis } from './scripts/embedded-redis.ts'
    const redis = await startRedis({ dir: ${JSON.stringify(dir)}, persistent: false })
    console.log(JSON.stringify(redis.options))
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
  const options = JSON.parse(await new Promise((done) => parent.stdout.once('data', (line) => done(String(line)))))
  expect(await sendOnce(options, ['PING'])).toBe('+PONG')
  parent.kill('SIGKILL')
  while (await sendOnce(options, ['PING']).catch(() => false)) await sleep(20)
})
