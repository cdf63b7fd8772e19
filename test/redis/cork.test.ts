import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { RedisStore } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import type { Cluster, Redis } from 'ioredis'
import { isCaching } from '../support/near-cache.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** Many small packets cost more than their content, so these tests count system calls at the sockets. */
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
let client: Redis | Cluster
let store: RedisStore

beforeEach(async () => {
  client = connect()
  store = new RedisStore({ client, prefix })
  await store.set('a', { cookie, user: 'ada' } as never)
})
afterEach(async () => {
  await store.close()
  client.disconnect()
})

/** Lists the open sockets. Some nodes of a Cluster may not be connected yet. */
function streams(): Socket[] {
  const nodes = client.isCluster ? (client as Cluster).nodes() : [client]
  return nodes.map((node) => (node as Redis).stream as Socket | undefined).filter((stream) => stream !== undefined)
}

/** Counts the writes to the operating system from now on. */
function writesOf(sockets: readonly Socket[]): () => number {
  let writes = 0
  for (const socket of sockets) {
    const plain = socket as unknown as Record<'_write' | '_writev', (...args: unknown[]) => void>
    for (const name of ['_write', '_writev'] as const) {
      const original = plain[name]
      plain[name] = function (this: unknown, ...args) {
        writes += 1
        original.apply(this, args)
      }
    }
  }
  return () => writes
}

test('what is asked of Redis in one turn leaves in one packet, over a client without auto-pipelining', async () => {
  // From now on, Redis knows the script.
  await store.increment('a', 'visits')
  const writes = writesOf(streams())
  const answers = await Promise.all([
    store.read('a', ['user']),
    store.increment('a', 'visits'),
    ...Array.from({ length: 50 }, () => store.get('a')),
  ])
  expect(answers.slice(0, 2)).toEqual([{ user: 'ada' }, 2])
  expect(answers.slice(2).every((found) => (found as { user?: string } | null)?.user === 'ada')).toBe(true)
  expect(writes()).toBe(1)
})

test('the first session that is loaded or saved in a turn does not wait for its end, and others leave in one packet', async () => {
  const held = (await store.get('a')) as unknown as Record<string, unknown>
  const save = (visits: number) => store.set('a', Object.assign(held, { visits }) as never)
  // From now on, Redis knows the script.
  await save(1)
  for (const work of [() => store.get('a'), () => save(2)]) {
    const writes = writesOf(streams())
    const first = work()
    expect(writes()).toBe(1)
    await Promise.all([first, ...Array.from({ length: 50 }, () => store.get('a'))])
    expect(writes()).toBe(2)
  }
})

test('the first session that is loaded by a script, with onEnd, does not wait for the end of its turn either', async () => {
  const lasting = new RedisStore({ client, prefix: `${prefix}lasting:`, onEnd: () => undefined })
  try {
    await lasting.set('a', { cookie, user: 'ada' } as never)
    // From now on, Redis knows the script.
    await lasting.get('a')
    const writes = writesOf(streams())
    const first = lasting.get('a')
    expect(writes()).toBe(1)
    await Promise.all([first, ...Array.from({ length: 50 }, () => lasting.get('a'))])
    expect(writes()).toBe(2)
  } finally {
    await lasting.close()
  }
})

test('while many commands are under way, a load waits for the others of its turn', async () => {
  const before = Array.from({ length: 8 }, () => store.get('a'))
  // They have left, and no answer has been read.
  await new Promise((resolve) => setImmediate(resolve))
  const writes = writesOf(streams())
  const more = [store.get('a'), store.get('a')]
  expect(writes()).toBe(0)
  await Promise.all([...before, ...more])
  expect(writes()).toBe(1)
})

test('what the caller sends over the same connection meanwhile keeps its place', async () => {
  const key = `${prefix}a`
  const [, before, , after] = await Promise.all([
    client.hset(key, 'user', '"bob"'),
    store.get('a'),
    client.hset(key, 'user', '"eve"'),
    store.get('a'),
  ])
  expect([before, after]).toMatchObject([{ user: 'bob' }, { user: 'eve' }])
})

test('a connection that is lost within the turn takes nothing along but its own answers, and the next one works', async () => {
  const asked = store.get('a').catch((err: { code: string }) => err.code)
  for (const stream of streams()) stream.destroy()
  expect([expect.objectContaining({ user: 'ada' }), 'ERR_SESSION_UNAVAILABLE', 'ERR_SESSION_TIMEOUT']).toContainEqual(
    await asked,
  )
  await expect(retried(() => store.get('a'))).resolves.toMatchObject({ user: 'ada' })
})

test('a client that is closed within the turn leaves nobody waiting', async () => {
  const asked = store.get('a').then(
    (found) => found as unknown,
    (err: { status: number }) => err.status,
  )
  client.disconnect()
  expect([expect.objectContaining({ user: 'ada' }), 503]).toContainEqual(await asked)
  await expect(store.get('a')).rejects.toMatchObject({ status: 503 })
})

describe('a response to a request that only reads', () => {
  for (const [name, options] of [
    ['from Redis', {}],
    ['from the near cache', { cache: { max: 10, maxAge: 60 } }],
  ] as const) {
    test(`leaves in one packet: ${name}`, async () => {
      const reading = new RedisStore({ client, prefix, ...options })
      if ('cache' in options) await isCaching(reading, { client: client as Redis })
      const app = express()
      app.use(session({ store: reading, secret: 's', resave: false, saveUninitialized: false }))
      app.get('/login', (req, res) => {
        Object.assign(req.session, { user: 'ada' })
        res.send('hello')
      })
      app.get('/', (req, res) => res.send((req.session as unknown as { user: string }).user))
      const server = createServer(app)
      let writes = () => 0
      server.on('connection', (socket) => {
        writes = writesOf([socket])
      })
      const visitor = new Visitor(server)
      await visitor.get('/login')
      // The first reader may still have to load the session from Redis.
      for (let i = 0; i < 2; i++) {
        expect((await visitor.get('/')).text).toBe('ada')
        expect(writes()).toBe(1)
      }
      if ('cache' in options) expect(reading.cacheStats?.hits).toBeGreaterThan(0)
      await reading.close()
      server.close()
    })
  }
})

/** Repeats work that fails until ioredis has reconnected. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i++) {
    try {
      return await work()
    } catch (err) {
      if (i === 20) throw err
    }
  }
}

test('fake timers of an application under test hold nothing back', async () => {
  jest.useFakeTimers()
  try {
    await expect(store.get('a')).resolves.toMatchObject({ user: 'ada' })
  } finally {
    jest.useRealTimers()
  }
})
