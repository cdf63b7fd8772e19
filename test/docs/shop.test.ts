import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Redis } from 'ioredis'
import { example } from '../support/markdown.js'
import { TOOLS } from '../support/tools.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'

/** `npm start` gets a data folder of the test's own. */
const dir = mkdtempSync(join(tmpdir(), 'crh-shop-'))
const data = join(dir, 'data')
const processes: ChildProcess[] = []

afterAll(async () => {
  for (const child of processes) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  // The shop ends its Redis, too.
  expect(existsSync(join(data, 'redis/redis.sock'))).toBe(false)
  rmSync(dir, { recursive: true, force: true })
})

/** Resolves the URL that the shop prints. */
async function start(): Promise<{ url: string; child: ChildProcess }> {
  const { REDIS_URL: _own, ...env } = process.env
  const child = spawn(process.execPath, ['scripts/start.mjs'], {
    env: { ...env, PORT: '0', DATA_DIR: data },
    detached: true,
  })
  processes.push(child)
  return new Promise((resolve, reject) => {
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
      const url = /is open:\s+(\S+)/.exec(output)?.[1]
      if (url !== undefined) resolve({ url, child })
    })
    child.once('exit', () => reject(new Error(`the shop did not open: ${output}`)))
  })
}

test.each(TOOLS)('every line of the transcript comes out as the page shows it, with %s', async (tools) => {
  const { url } = await start()
  // The page says port 3000 and the default folder; this test has its own, and so has the cookie jar.
  const socket = resolve(data, 'redis/redis.sock')
  const page = example('docs/example-app.md', 'transcript', 'shop')
    .replaceAll('localhost:3000', new URL(url).host)
    .replaceAll('example-app/.data/redis/redis.sock', socket)
  const all = steps(page)
  expect(asTyped(all, await typed(all, dir, '', tools))).toEqual(asShown(all))
})

test('a visitor stays logged in when the app and its Redis are killed with SIGKILL and started again', async () => {
  const first = await start()
  const shop = steps(example('docs/example-app.md', 'transcript', 'shop')).map(({ command }) => command)
  const [token, post, signup] = [shop[0], shop[1], shop.find((line) => line.includes('signup'))] as [
    string,
    string,
    string,
  ]
  const page = (url: string) => ({ command: `curl -s -b jar -c jar ${url}/`, expected: [] })
  const here = (line: string, url: string) => line.replaceAll('localhost:3000', new URL(url).host)
  const before = [token, post, signup].map((line) => ({ command: here(line, first.url), expected: [] }))
  const loggedIn = await typed([...before, page(first.url)], dir, '')
  expect(loggedIn.at(-1)?.join()).toContain('Log out')

  const redis = new Redis(resolve(data, 'redis/redis.sock'))
  const pid = Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1])
  redis.disconnect()
  const ended = once(first.child, 'exit')
  process.kill(pid, 'SIGKILL')
  process.kill(-(first.child.pid as number), 'SIGKILL')
  await ended

  const second = await start()
  const [after] = await typed([page(second.url)], dir, '')
  expect(after?.join()).toContain('Log out')
  const [stranger] = await typed([{ command: `curl -s ${second.url}/`, expected: [] }], dir, '')
  expect(stranger?.join()).not.toContain('Log out')
})
