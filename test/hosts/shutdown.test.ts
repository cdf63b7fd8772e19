import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { RedisStore } from 'connect-redis-hash'
import { childScript } from '../support/child-script.js'
import { example } from '../support/markdown.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix } from '../support/redis.js'

const CHILD = childScript('test', 'hosts', 'shutdown.child.ts')
const PROBING = childScript('test', 'hosts', 'probing.child.ts')
const client = connect()
afterAll(() => client.quit())

const endings = ['documented', 'without store.close()', 'store.close() first, and last the client']
const cases = ['ioredis', 'node-redis'].flatMap((library) => endings.map((ending) => [library, ending] as const))

test.each(cases)(
  'a process with a client of %s gets SIGTERM, %s: its request is answered and saved, and the process ends by itself',
  async (library, ending) => {
    const prefix = freshPrefix()
    const child = spawn(process.execPath, [CHILD, prefix, library, ending], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const { value: port } = await lines.next()
      const answer = fetch(`http://127.0.0.1:${port}/slow`, { headers: { connection: 'close' } })
      expect((await lines.next()).value).toBe('begun')
      child.kill('SIGTERM')
      const response = await answer
      expect([response.status, await response.text()]).toEqual([200, 'done'])
      expect(await ended).toEqual([0, null])
      const sid = /s%3A([^.]+)\./.exec(response.headers.getSetCookie()[0] ?? '')?.[1] as string
      expect(await new RedisStore({ client, prefix }).read(sid)).toMatchObject({ user: 'ada' })
    } finally {
      child.kill('SIGKILL')
    }
  },
)

const halt = ({ pid }: PrivateRedis) => process.kill(pid, 'SIGSTOP')
const faults: [string, string, (redis: PrivateRedis) => unknown][] = [
  ['ioredis', 'is away', (redis) => redis.stop()],
  ['node-redis', 'is away', (redis) => redis.stop()],
  ['ioredis', 'hangs', halt],
  ['node-redis', 'hangs', halt],
  ['node-redis 5', 'hangs', halt],
]

test.each(faults)(
  'a process with a client of %s gets SIGTERM while Redis %s: its request is answered, and the process ends by itself',
  async (library, _name, fail) => {
    const redis = await privateRedis([], { isStopped: true })
    const env = { ...process.env, TEST_REDIS_SOCKET: redis.socketPath, TEST_TOPOLOGY: '{}' }
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit']
    const child = spawn(process.execPath, [CHILD, freshPrefix(), library, 'documented'], { stdio, env })
    const ended = once(child, 'exit')
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const { value: port } = await lines.next()
      const answer = fetch(`http://127.0.0.1:${port}/slow`, { headers: { connection: 'close' } })
      expect((await lines.next()).value).toBe('begun')
      await fail(redis)
      child.kill('SIGTERM')
      // express-session answers first and saves then: what the visitor is told is up to saveBeforeResponse().
      expect([200, 503]).toContain((await answer).status)
      expect(await ended).toEqual([0, null])
    } finally {
      child.kill('SIGKILL')
      await redis.stop()
    }
  },
)

test('a process whose client is unref()ed ends although its store is probing a Redis that hangs', async () => {
  const redis = await privateRedis()
  const child = spawn(process.execPath, [PROBING, redis.socketPath, String(redis.pid)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    expect((await lines.next()).value).toBe('ends before its probe is over')
  } finally {
    child.kill('SIGKILL')
    process.kill(redis.pid, 'SIGCONT')
    await redis.stop()
  }
})

test('the README ends a process as the page about operations does', () => {
  const of = (code: string) => code.slice(code.indexOf("process.once('SIGTERM'")).trim()
  const readme = of(example('README.md', 'run', 'production.mjs'))
  expect(readme.replaceAll('sessions.store', 'store')).toBe(of(example('docs/operations.md', 'run', 'shutdown')))
})
