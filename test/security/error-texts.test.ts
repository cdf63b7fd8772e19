import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  bindClient,
  bindDevice,
  RedisStore,
  type RedisStoreOptions,
  requireBoundDevice,
  requireFreshLogin,
  rotateSession,
  type SessionErrorCode,
} from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import type { Redis } from 'ioredis'
import request from 'supertest'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { everythingIn, expectNoSecrets } from '../support/failure.js'
import { guardedLineTo } from '../support/guarded-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { bookkeeping } from '../support/raw-session.js'
import { isRedisSince } from '../support/server.js'
import { until } from '../support/until.js'

const PREFIX = 'hush-prefix:'
const SID = 'hush-sid'
const VALUE = 'hush-value'
const LOGIN = { username: 'hush-user', password: '4711-password' }
const SECRETS = ['hush-', '4711-password']

let redis: PrivateRedis
let bare: PrivateRedis
let line: BadLine

beforeAll(async () => {
  redis = await privateRedis()
  bare = await privateRedis(['--rename-command', 'HGETALL', ''])
  line = await badLineTo(redis.socketPath)
})
beforeEach(async () => {
  await redis.admin.flushall()
  await redis.admin.call('ACL', 'SETUSER', LOGIN.username, 'reset', 'on', `>${LOGIN.password}`, '~*', '+@all')
})
afterAll(async () => {
  await line.close()
  await redis.stop()
  await bare.stop()
})

const storeWith = (options: Partial<RedisStoreOptions> = {}) =>
  new RedisStore({ client: redis.connect(LOGIN), prefix: PREFIX, timeout: 2000, ...options })
const write = (store: RedisStore, value: unknown = VALUE) => store.set(SID, { 'hush-property': value } as never)
const config = (name: string, value: string) => redis.admin.config('SET', name, value)

/** Puts Redis into a state, and takes it out again whatever happens. */
async function during<T>(begin: () => Promise<unknown>, end: () => Promise<unknown>, work: () => Promise<T>) {
  await begin()
  try {
    return await work()
  } finally {
    await end()
  }
}

/** Gives the application's error handler an error, beside an express-session that holds secrets. */
async function inRequest(handler: express.RequestHandler): Promise<void> {
  const app = express()
  let caught: unknown
  app.use(session({ store: storeWith(), secret: VALUE, resave: false, saveUninitialized: false }))
  app.use((req, _res, next) => {
    Object.assign(req.session, { user: VALUE })
    next()
  })
  app.use(handler)
  app.use(((err, _req, res, _next) => {
    caught = err
    res.end()
  }) as express.ErrorRequestHandler)
  await request(app).get('/')
  if (caught) throw caught
}

/** A way into each error there is. A code that is missing here does not compile. */
const ways: Record<SessionErrorCode, () => Promise<unknown>> = {
  ERR_SESSION_TIMEOUT: () => {
    const client = redis.connect({ ...LOGIN, path: line.path })
    const store = storeWith({ client, timeout: 50 })
    // It connects first, however long that takes.
    return until('it is connected', () => store.ping().then(() => true)).then(() =>
      during(
        async () => line.hold(),
        async () => line.release(),
        () => write(store),
      ),
    )
  },
  ERR_SESSION_UNAVAILABLE: () => write(storeWith({ client: redis.connect({ path: '/nowhere/hush-redis.sock' }) })),
  ERR_SESSION_READONLY: () =>
    during(
      () => redis.admin.replicaof('127.0.0.1', 1),
      () => redis.admin.replicaof('NO', 'ONE'),
      () => write(storeWith()),
    ),
  ERR_SESSION_NO_REPLICAS: () =>
    during(
      () => config('min-replicas-to-write', '1'),
      () => config('min-replicas-to-write', '0'),
      () => write(storeWith()),
    ),
  ERR_SESSION_NOT_REPLICATED: async () => {
    const store = storeWith({ replicas: 1 })
    try {
      return await store.destroy(SID)
    } finally {
      await store.close()
    }
  },
  ERR_SESSION_PERSISTENCE: () =>
    during(
      async () => {
        // A directory takes the place of the dump: even root cannot write there.
        mkdirSync(join(redis.dir, 'dump.rdb'))
        await config('save', '3600 1')
        await redis.admin.bgsave()
        while (!(await redis.admin.info('persistence')).includes('rdb_last_bgsave_status:err'));
      },
      async () => {
        rmdirSync(join(redis.dir, 'dump.rdb'))
        await config('save', '')
      },
      () => write(storeWith()),
    ),
  ERR_SESSION_OUT_OF_MEMORY: () =>
    during(
      () => config('maxmemory', '1'),
      () => config('maxmemory', '0'),
      () => write(storeWith()),
    ),
  async ERR_SESSION_FORBIDDEN() {
    await redis.admin.call('ACL', 'SETUSER', LOGIN.username, '-hgetall')
    return storeWith().get(SID)
  },
  // Redis repeats the arguments of a command that it does not know.
  ERR_SESSION_REDIS: () => storeWith({ client: bare.connect() }).get(SID),
  ERR_SESSION_INVALID_ID: () => storeWith().set('hush-sid *', {}),
  ERR_SESSION_INVALID_COOKIE: () => storeWith().set(SID, { cookie: { maxAge: VALUE }, user: VALUE } as never),
  ERR_SESSION_INVALID_TTL: () => write(storeWith({ ttl: () => VALUE as never })),
  ERR_SESSION_INVALID_INDEX: () => write(storeWith({ indexes: { user: () => ({ [VALUE]: VALUE }) as never } })),
  async ERR_SESSION_LIMIT() {
    const user = () => VALUE
    const store = storeWith({ indexes: { user }, limit: { index: 'user', max: 1, onExceed: 'reject' } })
    await store.set(`other-${SID}`, {} as never)
    return write(store)
  },
  ERR_SESSION_NOT_SERIALIZABLE: () =>
    storeWith({
      serializer: {
        parse: JSON.parse,
        stringify() {
          throw new Error(`cannot write ${VALUE}`)
        },
      },
    }).set(SID, { property: 1 } as never),
  async ERR_SESSION_NOT_A_NUMBER() {
    await storeWith().set(SID, { property: VALUE } as never)
    return storeWith().increment(SID, 'property')
  },
  async ERR_SESSION_NOT_AN_OBJECT() {
    await storeWith().set(SID, { property: { inner: VALUE } } as never)
    return storeWith().setPath(SID, ['property', 'inner', VALUE], VALUE)
  },
  ERR_SESSION_TOO_LARGE: () => write(storeWith({ maxBytes: 100 }), VALUE.repeat(100)),
  async ERR_SESSION_FOREIGN_KEY() {
    await redis.admin.rpush(PREFIX + SID, VALUE)
    return write(storeWith())
  },
  async ERR_SESSION_CONFLICT() {
    // Another client changes the number before each attempt.
    let n = 1
    const key = PREFIX + SID
    await redis.admin.hset(key, { '@': bookkeeping(), property: n })
    const contended = await guardedLineTo(redis.socketPath, {
      admit(args) {
        if (!/^eval/i.test(args[0] ?? '')) return undefined
        n += 1
        return redis.admin.hset(key, 'property', n).then(() => undefined)
      },
    })
    const serializer = { parse: JSON.parse, stringify: JSON.stringify }
    const store = storeWith({ client: redis.connect({ ...LOGIN, path: contended.path }), serializer, timeout: 10_000 })
    try {
      return await store.increment(SID, 'property')
    } finally {
      await contended.close()
    }
  },
  ERR_SESSION_HEADERS_SENT: () =>
    inRequest((req, res, next) => {
      res.write('begun')
      rotateSession(req).then(() => next(), next)
    }),
  ERR_SESSION_LOGIN_NOT_FRESH: () => inRequest(requireFreshLogin({ within: 60 })),
  ERR_SESSION_DEVICE_NOT_BOUND: () =>
    inRequest((req, res, next) => bindDevice()(req, res, () => requireBoundDevice()(req, res, next))),
}

const errorOf = (work: () => Promise<unknown>) =>
  work().then(
    () => undefined,
    (err: unknown) => err,
  )

/** Redis before 7.0 does not ask for replicas in scripts. */
const known = Object.entries(ways).filter(([code]) => isRedisSince(7, 0) || code !== 'ERR_SESSION_NO_REPLICAS')

test.each(known)(
  '%s, however it is written down, tells no id, no key, no arguments of a command and no data',
  async (code, way) => {
    const err = await errorOf(way)
    expect(err).toMatchObject({ name: 'SessionStoreError', code })
    expectNoSecrets(err, SECRETS)
    // Workers and cluster processes pass errors on as structured clones; some loggers walk every property.
    expectNoSecrets(structuredClone(err), SECRETS)
    expect(everythingIn(err)).not.toMatch(/"?args"?:|"?command"?:/)
    for (let inner = err; inner instanceof Error; inner = inner.cause) {
      const telling = ['command', 'args', 'previousErrors', 'lastNodeError'].filter((name) =>
        Object.hasOwn(inner, name),
      )
      expect(telling).toEqual([])
    }
  },
)

test('what ioredis itself reports does tell them, so that there is something to keep back', async () => {
  const told = await errorOf(() => bare.connect().call('HGETALL', PREFIX + SID))
  expect(inspect(told)).toContain(SID)
})

describe('a mistake in the options', () => {
  let client: Redis
  beforeAll(() => {
    client = redis.connect(LOGIN)
  })

  test.each<[string, () => unknown]>([
    ['hashIds', () => new RedisStore({ client, hashIds: ['hush-secret', 5] as never })],
    ['hashIds', () => new RedisStore({ client, hashIds: { secret: 'hush-secret' } as never })],
    ['encryption', () => new RedisStore({ client, encryption: { keys: ['hush-key'] } })],
    ['encryption', () => new RedisStore({ client, encryption: ['hush-key'] as never })],
    ['secret', () => bindClient({ secret: ['hush-secret', ''] })],
    ['secret', () => bindClient({ secret: { key: 'hush-secret' } as never })],
  ])('names the option %s and does not repeat the secret in it', (option, make) => {
    let err: unknown
    try {
      make()
    } catch (caught) {
      err = caught
    }
    expect(err).toBeInstanceOf(TypeError)
    expect(String(err)).toContain(`"${option}"`)
    expectNoSecrets(err, SECRETS)
  })
})
