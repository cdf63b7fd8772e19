import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { RedisStore } from 'connect-redis-hash'
import { childScript } from '../support/child-script.js'
import { watchCommands } from '../support/commands.js'
import { connect, freshPrefix } from '../support/redis.js'
import { begin, held } from './requests.js'

const CHILD = childScript('test', 'merge', 'processes.child.ts')
const SID = 'the-cart'
const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix, timeout: 30_000 })
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await store.clear()
  await client.quit()
})

test.each([
  [2, 10],
  [3, 6],
  [4, 5],
])('%i processes that save %i requests each at once: all changes of the cart survive', async (processes, requests) => {
  await begin(store, SID, { cart: {} })
  const started = Array.from({ length: processes }, (_, i) => {
    const args = [CHILD, prefix, SID, String(i), String(requests)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    return child as ChildProcess & { stdin: Writable; stdout: Readable }
  })
  await Promise.all(started.map((child) => once(child.stdout, 'data')))
  const log = await watchCommands(client, prefix)
  const saved = started.map((child) => once(child.stdout, 'data'))
  for (const child of started) child.stdin.write('save\n')
  await Promise.all(saved)
  const scripts = (await log.take()).filter(([command]) => /^eval(sha)?$/i.test(command ?? ''))
  log.stop()
  expect(Object.keys((await held(store, SID)).cart)).toHaveLength(processes * requests)
  // What one process saves can refuse one save of each other process that is under way, and nothing of its own.
  expect(scripts.length).toBeLessThanOrEqual(processes * requests * processes)
})
