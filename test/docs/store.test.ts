import { RedisStore } from 'connect-redis-hash'
import { example } from '../support/markdown.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { Reader } from '../support/reader.js'
import { connect, freshPrefix } from '../support/redis.js'
import { runExample } from '../support/run-example.js'
import { commandOf, TOOLS } from '../support/tools.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'

const PAGE = 'docs/store.md'
const client = connect()
const prefix = freshPrefix()
afterAll(() => client.quit())

describe('the app of the page, run as printed', () => {
  const reader = new Reader({ express: 'express', 'express-session': 'express-session', ioredis: 'ioredis' })
  let redis: PrivateRedis

  beforeAll(async () => {
    redis = await privateRedis()
    reader.write({ 'app.mjs': example(PAGE, 'run', 'app.mjs') })
  })
  afterAll(async () => {
    await reader.end()
    await redis.stop()
  })

  test.each(TOOLS)('every line of the transcript comes out as the page shows it, with %s', async (tools) => {
    const { url } = await reader.start('app.mjs', { REDIS_URL: redis.socketPath, SESSION_SECRET: 'secret' })
    // The page says port 3000 and the default Redis; this machine has others.
    const prelude = `rm -f jar; redis-cli() { ${commandOf('redis-cli', tools)} -s '${redis.socketPath}' "$@"; }`
    const all = steps(example(PAGE, 'transcript', 'app.mjs').replaceAll('localhost:3000', new URL(url).host))
    expect(asTyped(all, await typed(all, reader.dir, prelude, tools))).toEqual(asShown(all))
  })
})

test('every method does what its comment says', async () => {
  const store = new RedisStore({ client, prefix })
  await store.set('the-sid', {
    cookie: { originalMaxAge: null },
    userId: 'ada',
    theme: 'dark',
    draft: 1,
    visits: 2,
  } as never)
  const results: unknown[] = []
  const body = example(PAGE, 'run', 'methods').replace(/^await (.+?\))\s+\/\/.*$/gm, 'results.push(await $1)')
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  await AsyncFunction('store', 'sid', 'results', 'console', body)(store, 'the-sid', results, { log() {} })
  expect(results).toEqual([
    { userId: 'ada', theme: 'dark' },
    true,
    3,
    true,
    expect.objectContaining({ handle: expect.any(String), createdAt: expect.any(Date), expiresAt: expect.any(Date) }),
    expect.objectContaining({ sessions: 1, bytes: expect.any(Number) }),
    expect.any(Number),
    undefined,
  ])
  expect(await store.read('the-sid')).toMatchObject({ theme: 'dark', visits: 3 })
  await store.clear()
})

test('the events of the example arrive', async () => {
  const store = new RedisStore({ client, prefix })
  const printed: unknown[][] = []
  const print = (...args: unknown[]) => printed.push(args)
  await runExample(PAGE, 'events', { scope: { store, console: { warn: print, error: print, log: print } } })
  store.emit('conflict', { handle: 'h', properties: ['a'] })
  store.emit('unavailable', { code: 'ERR_SESSION_TIMEOUT' })
  expect(printed).toEqual([[0], ['two requests changed', ['a'], 'h'], ['sessions are away:', 'ERR_SESSION_TIMEOUT']])
})
