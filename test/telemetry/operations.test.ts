import { tracingChannel } from 'node:diagnostics_channel'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { type Operation, RedisStore, rotateOnLogin } from 'connect-redis-hash'
import { OPERATIONS } from '../../src/operations.js'
import { privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix } from '../support/redis.js'
import { sessionApp } from '../support/session-app.js'
import { unlessStalled } from '../support/unless-stalled.js'
import { until } from '../support/until.js'

const channels = tracingChannel<unknown, Operation>('connect-redis-hash:operation')
const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix, indexes: { user: (session) => session.userId }, activity: true })
const SECRET_TEXT = 'the visitor keeps this to themselves'

/** What was published while `work` ran: the names of the channels, and the operations at their end. */
async function publishedBy(work: () => unknown): Promise<{ order: string[]; operations: Operation[] }> {
  const order: string[] = []
  const operations: Operation[] = []
  const subscribers = Object.fromEntries(
    (['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const).map((name) => [
      name,
      (message: unknown) => {
        order.push(name)
        if (name === 'asyncEnd') operations.push(message as Operation)
      },
    ]),
  ) as unknown as Parameters<typeof channels.subscribe>[0]
  channels.subscribe(subscribers)
  try {
    await work()
  } finally {
    channels.unsubscribe(subscribers)
  }
  return { order, operations }
}

const cookie = { originalMaxAge: null, expires: null, path: '/' }

afterAll(async () => {
  await store.clear()
  await store.close()
  await client.quit()
})

test('an operation that succeeds is published with name, outcome and duration, in the order of tracePromise', async () => {
  const { order, operations } = await publishedBy(() => store.ping())
  expect(order).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
  expect(operations).toEqual([expect.objectContaining({ name: 'ping', outcome: 'ok', duration: expect.any(Number) })])
  expect(operations[0]?.duration).toBeGreaterThan(0)
})

test('an operation that finds no session is absent, and one that fails has a code', async () => {
  const { operations, order } = await publishedBy(async () => {
    await store.get('nobody')
    await store.patch('nobody', { cart: [] } as never)
    await store.exists('nobody')
    await store.set('a', null as never).catch(() => undefined)
    await store.set('', { cookie } as never).catch(() => undefined)
  })
  expect(operations.map(({ name, outcome, code }) => [name, outcome, code])).toEqual([
    ['get', 'absent', undefined],
    ['patch', 'absent', undefined],
    ['exists', 'absent', undefined],
    ['set', 'error', 'TypeError'],
    ['set', 'error', 'ERR_SESSION_INVALID_ID'],
  ])
  expect(order.filter((name) => name === 'error')).toHaveLength(2)
})

test('a login that `limit` refuses is rejected: it is no failure of Redis', async () => {
  const options = { indexes: { user: (session: { userId?: string }) => session.userId }, prefix: freshPrefix() }
  const limited = new RedisStore({ client, ...options, limit: { index: 'user', max: 1, onExceed: 'reject' } } as never)
  const { operations } = await publishedBy(async () => {
    await limited.set('one', { cookie, userId: 'ada' } as never)
    await limited.set('two', { cookie, userId: 'ada' } as never).catch(() => undefined)
  })
  expect(operations.map(({ outcome, code }) => [outcome, code])).toEqual([
    ['ok', undefined],
    ['rejected', 'ERR_SESSION_LIMIT'],
  ])
  await limited.clear()
  await limited.close()
})

test('every method that asks Redis is published, and none with an id, a key or session data', async () => {
  const sid = 'AVeryLongSessionIdThatMustNotLeak'
  const { operations } = await publishedBy(async () => {
    await store.set(sid, { cookie, userId: SECRET_TEXT, visits: 1 } as never)
    await store.touch(sid, { cookie } as never)
    await store.get(sid)
    await store.read(sid)
    await store.patch(sid, { theme: SECRET_TEXT } as never)
    await store.increment(sid, 'visits' as never)
    await store.setPath(sid, ['look', 'name'] as never, SECRET_TEXT as never)
    await store.getPath(sid, ['look', 'name'] as never)
    await store.exists(sid)
    await store.find((await store.info(sid))?.handle ?? '')
    await store.findBy('user', SECRET_TEXT)
    await store.countBy('user', SECRET_TEXT)
    await Promise.all([store.all(), store.ids(), store.length()])
    for await (const { info } of store.scan()) expect(info.handle).toBeDefined()
    await store.stats()
    await store.activity.read({ from: Date.now(), step: 'minute' })
    await store.ping()
    await store.destroyBy('user', SECRET_TEXT)
    await store.destroy(sid)
    await store.clear()
  })
  expect(new Set(operations.map(({ outcome }) => outcome))).toEqual(new Set(['ok']))
  const ofRequests = ['regenerate', 'reload', 'load', 'rotate', 'renew', 'confirm', 'device', 'adopt']
  const expected = OPERATIONS.filter((name) => !ofRequests.includes(name))
  expect(operations.map(({ name }) => name).sort()).toEqual([...expected].sort())
  for (const text of operations.flatMap((operation) => [JSON.stringify(operation), inspect(operation)])) {
    expect(text).not.toContain(sid)
    expect(text).not.toContain(SECRET_TEXT)
    expect(text).not.toContain(prefix)
  }
})

test('every public method that returns a promise is an operation: none was forgotten', () => {
  const notOperations = ['constructor', 'close', 'watch', 'createSession', 'handleOf']
  const methods = Object.entries(Object.getOwnPropertyDescriptors(RedisStore.prototype))
    .filter(([name, { value }]) => typeof value === 'function' && !notOperations.includes(name))
    .map(([name]) => name)
  expect(OPERATIONS).toEqual(expect.arrayContaining(methods))
})

test('requests are published under the names of what they do, with the callbacks of express-session', async () => {
  const app = sessionApp(store, undefined, [rotateOnLogin({ principal: (session) => session.value as string })])
  const { operations } = await publishedBy(async () => {
    const sid = 'known-to-the-visitor'
    await store.set(sid, { cookie, value: 'ada' } as never)
    await app.visit('/show', sid).expect(200)
    await app.visit('/login', sid).expect(200)
    await store.set(sid, { cookie, value: 'ada' } as never)
    await app.visit('/save/bob', sid).expect(200)
  })
  const names = operations.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['get', 'touch', 'regenerate', 'rotate', 'set']))
  app.close()
})

test('a hit of the near cache says so, and a miss too', async () => {
  await unlessStalled(500, async () => {
    const cached = new RedisStore({ client, prefix: freshPrefix(), cache: { max: 10, maxAge: 60 } })
    await cached.set('one', { cookie } as never)
    await until('the session is cached', async () => {
      await cached.get('one')
      return (cached.cacheStats?.entries ?? 0) > 0
    })
    const { operations } = await publishedBy(async () => {
      await cached.get('one')
      await cached.get('nobody')
      await store.get('nobody')
    })
    expect(operations.map(({ cacheHit }) => cacheHit)).toEqual([true, false, undefined])
    await cached.clear()
    await cached.close()
  })
})

test('a failure that nobody asks for is still a warning, and ends no process, while somebody listens', async () => {
  const redis = await privateRedis()
  const failing = new RedisStore({ client: redis.admin, timeout: 200 })
  const warned = new Promise((resolve) => failing.once('warning', resolve))
  const { operations } = await publishedBy(async () => {
    void failing.destroy({} as never)
    void failing.set('', { cookie } as never)
    expect(await warned).toMatchObject({ code: 'failure-unheard' })
  })
  expect(operations.map(({ name, outcome }) => `${name} ${outcome}`).sort()).toEqual(['destroy ok', 'set error'])
  await failing.close()
  await redis.stop()
})

test('a reader who stops a scan half-way has finished the operation', async () => {
  await store.set('one', { cookie } as never)
  await store.set('two', { cookie } as never)
  const { operations } = await publishedBy(async () => {
    for await (const _ of store.scan()) break
    await nextTurn()
  })
  expect(operations).toMatchObject([{ name: 'scan', outcome: 'ok' }])
})

test('while nobody listens, an operation makes nothing for telemetry', async () => {
  const { start } = channels
  const runs = jest.spyOn(start, 'runStores')
  await store.ping()
  await store.get('nobody')
  expect(runs).not.toHaveBeenCalled()
  await publishedBy(() => store.ping())
  expect(runs).toHaveBeenCalledTimes(1)
  runs.mockRestore()
})
