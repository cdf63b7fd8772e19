import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  bindClient,
  type Middleware,
  RedisStore,
  type RedisStoreOptions,
  renewSession,
  requireFreshLogin,
  rotateOnLogin,
  saveBeforeResponse,
} from 'connect-redis-hash'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { gate } from '../support/gate.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { type SessionApp, sessionApp } from '../support/session-app.js'

const KEY = 'sess:hush-sid'

let redis: PrivateRedis
let line: BadLine
let store: RedisStore
let app: SessionApp
let emitted: string[]

beforeAll(async () => {
  redis = await privateRedis()
  line = await badLineTo(redis.socketPath)
})
afterAll(async () => {
  await line.close()
  await redis.stop()
})
afterEach(async () => {
  line.release()
  app.close()
  await store.close()
})

const TIMEOUT_MS = 600

async function start(options: Partial<RedisStoreOptions> = {}): Promise<void> {
  await redis.admin.flushall()
  const client = redis.connect({ path: line.path })
  // It connects first, however long that takes.
  await new RedisStore({ client, timeout: 10_000 }).ping()
  store = new RedisStore({ client, timeout: TIMEOUT_MS, ...options })
  emitted = []
  for (const name of ['disconnect', 'connect', 'unavailable', 'available'] as const)
    store.on(name, () => emitted.push(name))
  await store.set('hush-sid', { value: 'hush-value', cookie: {} })
  app = sessionApp(store)
}

const show = () => app.visit('/show', 'hush-sid')

describe("with onUnavailable 'anonymous'", () => {
  beforeEach(() => start({ onUnavailable: 'anonymous' }))

  test.each([
    ['bindClient', bindClient({ secret: 's' })],
    ['rotateOnLogin', rotateOnLogin({ principal: (session) => session.value })],
    ['renewSession', renewSession()],
    ['saveBeforeResponse', saveBeforeResponse()],
  ])('%s lets requests without a session pass', async (_name, middleware) => {
    const guarded = sessionApp(store, undefined, [middleware])
    line.hold()
    await guarded.visit('/show', 'hush-sid').expect(503)
    await guarded.visit('/put/hush-other', 'hush-sid').expect(200, { hasSession: false })
    expect(guarded.errors).toHaveLength(1)
    guarded.close()
  })

  describe.each([
    ['bindClient', () => [bindClient({ secret: 's' })]],
    ['rotateOnLogin', () => [rotateOnLogin({ principal: (held) => held.value })]],
    ['renewSession', () => [renewSession()]],
    ['saveBeforeResponse', () => [saveBeforeResponse()]],
    ['requireFreshLogin', () => [requireFreshLogin({ within: 60, onStale: (_req, _res, next) => next() })]],
    [
      'all of them',
      () => [
        bindClient({ secret: 's' }),
        rotateOnLogin({ principal: (held) => held.value }),
        renewSession(),
        saveBeforeResponse(),
      ],
    ],
  ] as [string, () => Middleware[]][])(
    'an application that puts an object in place of the session: %s',
    (_name, make) => {
      const placeholder: Middleware = (req, _res, next) => {
        ;(req as { session?: object }).session ??= {}
        next()
      }

      test.each<[string, (middleware: Middleware[]) => Middleware[]]>([
        ['behind it', (middleware) => [...middleware, placeholder]],
        ['in front of it', (middleware) => [placeholder, ...middleware]],
        ['between two uses of it', (middleware) => [...middleware, placeholder, ...middleware]],
      ])('%s works during the outage, and sessions after it', async (_where, order) => {
        const guarded = sessionApp(store, undefined, order(make()))
        await guarded.visit('/show', 'hush-sid').expect(200, { hasSession: true, value: 'hush-value' })
        line.hold()
        await guarded.visit('/show', 'hush-sid').expect(503)
        for (let i = 0; i < 3; i++) {
          await guarded.visit('/put/hush-other', 'hush-sid').expect(200, { hasSession: true })
          await guarded.visit('/show').expect(200, { hasSession: true, value: null })
        }
        const back = once(store, 'connect')
        line.release()
        await back
        for (let i = 0; i < 2; i++) {
          await guarded.visit('/show', 'hush-sid').expect(200, { hasSession: true, value: 'hush-value' })
        }
        await guarded
          .visit('/put/hush-new')
          .expect(200)
          .expect('Set-Cookie', /^connect\.sid=/)
        guarded.close()
      })
    },
  )

  test('the request that notices the outage fails; all others go on without a session, at once', async () => {
    await show().expect(200, { hasSession: true, value: 'hush-value' })
    line.hold()
    expect((await show().expect(503)).body).toEqual({ code: 'ERR_SESSION_TIMEOUT' })
    expect(emitted).toEqual(['unavailable', 'disconnect'])

    const start = performance.now()
    for (const sid of ['hush-sid', undefined]) {
      for (const path of ['/show', '/put/hush-other']) {
        const { body, headers } = await app.visit(path, sid).expect(200)
        expect(body.hasSession).toBe(false)
        expect(headers['set-cookie']).toBeUndefined()
      }
    }
    // Four requests that waited for the timeout would take longer.
    expect(performance.now() - start).toBeLessThan(1.4 * TIMEOUT_MS)
    expect(emitted).toEqual(['unavailable', 'disconnect'])
  })

  test('sessions are back as they were once Redis answers, without any request to find out', async () => {
    line.hold()
    await show().expect(503)
    await app.visit('/put/hush-other', 'hush-sid').expect(200)
    const back = once(store, 'connect')
    line.release()
    await back
    expect(emitted).toEqual(['unavailable', 'disconnect', 'available', 'connect'])
    const { headers } = await show().expect(200, { hasSession: true, value: 'hush-value' })
    expect(headers['set-cookie']).toBeUndefined()
  })

  test('sessions are back after connections were refused, and after another outage too', async () => {
    for (let outage = 1; outage <= 2; outage++) {
      line.hold()
      line.cut()
      expect((await show().expect(503)).body).toEqual({ code: 'ERR_SESSION_UNAVAILABLE' })
      await show().expect(200, { hasSession: false, value: null })
      const back = once(store, 'connect')
      line.release()
      await back
      await show().expect(200, { hasSession: true, value: 'hush-value' })
      expect(store.counters).toMatchObject({ unavailable: outage, available: outage })
    }
  })

  test('a request under way when Redis goes away keeps its cookie, and reports the save that failed', async () => {
    app.close()
    const paused = gate()
    app = sessionApp(store, () => paused.wait())
    const answer = app.visit('/slow/hush-lost', 'hush-sid').then((response) => response)
    await paused.reached
    line.hold()
    paused.open()
    const { status, headers } = await answer
    expect(status).toBe(200)
    expect(headers['set-cookie']).toBeUndefined()
    // express-session reports the failure after the response.
    while (app.errors.length === 0) await sleep(1)
    expect(app.errors).toEqual([expect.objectContaining({ code: 'ERR_SESSION_TIMEOUT' })])
    expect(emitted).toEqual(['unavailable', 'disconnect'])
  })

  test('a failure that is no outage leaves the others their sessions', async () => {
    await redis.admin.rpush('sess:hush-list', 'x')
    await expect(store.patch('hush-list', { a: 1 })).rejects.toMatchObject({ code: 'ERR_SESSION_FOREIGN_KEY' })
    await redis.admin.config('SET', 'maxmemory', '1')
    await expect(store.set('hush-new', { a: 1 })).rejects.toMatchObject({ code: 'ERR_SESSION_OUT_OF_MEMORY' })
    await redis.admin.config('SET', 'maxmemory', '0')
    expect(emitted).toEqual([])
    await show().expect(200, { hasSession: true, value: 'hush-value' })
  })

  test('a closed store watches no longer', async () => {
    line.hold()
    await show().expect(503)
    await store.close()
    emitted = []
    await expect(store.get('hush-sid')).rejects.toMatchObject({ code: 'ERR_SESSION_TIMEOUT' })
    line.release()
    await store.ping()
    expect(emitted).toEqual([])
  })
})

test.each([
  ['forbids PING to this user', '-ping'],
  ['forbids everything but reading', '-@all', '+hgetall', '+info'],
])('a Redis that %s is back all the same when it answers', async (_name, ...rules) => {
  await redis.admin.call('ACL', 'SETUSER', 'app', 'on', '>4711-password', '~*', '+@all')
  const login = { username: 'app', password: '4711-password' }
  const client = redis.connect({ path: line.path, ...login, autoResendUnfulfilledCommands: false })
  await start({ onUnavailable: 'anonymous', client })
  await redis.admin.call('ACL', 'SETUSER', 'app', ...rules)
  line.hold()
  await show().expect(503)
  const back = once(store, 'connect')
  // The line cuts off the command under way, so no late answer to it can tell that Redis is back.
  line.cut()
  line.release()
  await back
  await show().expect(200, { hasSession: true, value: 'hush-value' })
})

test("with onUnavailable 'error' every request fails while Redis is away, and express-session is told nothing", async () => {
  await start()
  line.hold()
  const answers = await Promise.all([show(), show(), app.visit('/put/hush-other', 'hush-sid')])
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503])
  expect((await show()).status).toBe(503)
  for (const { headers } of answers) expect(headers['set-cookie']).toBeUndefined()
  const back = once(store, 'available')
  line.release()
  expect(await back).toEqual([{ downMs: expect.any(Number) }])
  expect(emitted).toEqual(['unavailable', 'available'])
  await show().expect(200, { hasSession: true, value: 'hush-value' })
  expect(await redis.admin.hget(KEY, 'value')).toBe('"hush-value"')
})
