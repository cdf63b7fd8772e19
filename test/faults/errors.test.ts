import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore } from 'connect-redis-hash'
import { expectNoSecrets, type Failure, failureOf } from '../support/failure.js'
import { beginLoading, LOADING_ARGS } from '../support/loading.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { ANY_CHANNEL, isRedisSince } from '../support/server.js'
import { type SessionApp, sessionApp } from '../support/session-app.js'

const PREFIX = 'hush-prefix:'
const VALUE = 'hush-value'
const SECRETS = ['hush-', '4711-password']
const TIMEOUT_MS = 5000
/** What is tested answers at once, which takes so long on a busy machine. */
const AT_ONCE_MS = 2000

let redis: PrivateRedis
let store: RedisStore
let app: SessionApp

beforeAll(async () => {
  redis = await privateRedis(LOADING_ARGS)
  await redis.admin.call('ACL', 'SETUSER', 'app', 'on', '>4711-password', '~*', ...ANY_CHANNEL, '+@all')
  const client = redis.connect({ username: 'app', password: '4711-password' })
  store = new RedisStore({ client, prefix: PREFIX, timeout: TIMEOUT_MS, touchInterval: 0 })
  app = sessionApp(store)
})
afterAll(async () => {
  app.close()
  await redis.stop()
})

async function work(): Promise<Record<string, () => Promise<unknown>>> {
  await redis.admin.flushall()
  for (const sid of ['hush-kept', 'hush-victim', 'hush-leaving']) await store.set(sid, { value: VALUE, cookie: {} })
  const changed = (await store.get('hush-kept')) as unknown as Record<string, unknown>
  const read = (await store.get('hush-kept')) as unknown as Record<string, unknown>
  changed.value = 'hush-changed'
  return {
    get: () => store.get('hush-kept'),
    read: () => store.read('hush-kept'),
    'read fields': () => store.read('hush-kept', ['value']),
    exists: () => store.exists('hush-kept'),
    info: () => store.info('hush-kept'),
    'set of a new session': () => store.set('hush-new', { value: VALUE }),
    'set of a changed session': () => store.set('hush-kept', changed),
    touch: () => store.touch('hush-kept', read),
    patch: () => store.patch('hush-kept', { value: 'hush-patched' }),
    increment: () => store.increment('hush-kept', 'hush-count'),
    destroy: () => store.destroy('hush-victim'),
    length: () => store.length(),
    all: () => store.all(),
    ping: () => store.ping(),
  }
}

const READS = ['get', 'read', 'read fields', 'exists', 'info']
const WRITES = ['set of a new session', 'set of a changed session', 'touch', 'patch', 'increment']
const EVERYTHING = [...READS, ...WRITES, 'destroy', 'length', 'all', 'ping']

interface Refusal {
  code: string
  /** In this case Redis asks first whether it may write at all. */
  codeOfDestroy?: string
  fails: string[]
  begin(): Promise<unknown>
  end(): Promise<unknown>
}

const forbidding = (command: string, fails: string[]): Refusal => ({
  code: 'ERR_SESSION_FORBIDDEN',
  fails,
  begin: () => redis.admin.call('ACL', 'SETUSER', 'app', `-${command}`),
  end: () => redis.admin.call('ACL', 'SETUSER', 'app', '+@all'),
})
const config = (name: string, value: string) => redis.admin.config('SET', name, value)

/** Waits until another connection is refused with this error. */
async function until(refused: string): Promise<void> {
  while (!String(await redis.admin.get('x').catch(String)).startsWith(`ReplyError: ${refused}`)) await sleep(1)
}

let background: Promise<unknown>
let loading: Awaited<ReturnType<typeof beginLoading>>

const refusals: Record<string, Refusal> = {
  'is a read-only replica': {
    code: 'ERR_SESSION_READONLY',
    fails: [...WRITES, 'destroy'],
    begin: () => redis.admin.replicaof('127.0.0.1', 1),
    end: () => redis.admin.replicaof('NO', 'ONE'),
  },
  'is a replica that lost its master': {
    code: 'ERR_SESSION_UNAVAILABLE',
    codeOfDestroy: 'ERR_SESSION_READONLY',
    // Redis before 7.0 answers a PING then.
    fails: isRedisSince(7, 0) ? EVERYTHING : EVERYTHING.filter((name) => name !== 'ping'),
    begin: () => config('replica-serve-stale-data', 'no').then(() => redis.admin.replicaof('127.0.0.1', 1)),
    end: () => redis.admin.replicaof('NO', 'ONE').then(() => config('replica-serve-stale-data', 'yes')),
  },
  // Redis before 7.0 does not ask for replicas in scripts.
  ...(isRedisSince(7, 0) && {
    'has too few replicas': {
      code: 'ERR_SESSION_NO_REPLICAS',
      fails: [...WRITES, 'destroy'],
      begin: () => config('min-replicas-to-write', '1'),
      end: () => config('min-replicas-to-write', '0'),
    },
  }),
  // A logout has to work: DEL frees memory, so Redis allows it.
  'is out of memory': {
    code: 'ERR_SESSION_OUT_OF_MEMORY',
    fails: WRITES,
    begin: () => config('maxmemory', '1'),
    end: () => config('maxmemory', '0'),
  },
  'cannot save to disk': {
    code: 'ERR_SESSION_PERSISTENCE',
    fails: [...WRITES, 'destroy', 'ping'],
    async begin() {
      // A directory takes the place of the dump: even root cannot write there.
      mkdirSync(join(redis.dir, 'dump.rdb'))
      await config('save', '3600 1')
      await redis.admin.bgsave()
      while (!(await redis.admin.info('persistence')).includes('rdb_last_bgsave_status:err')) await sleep(5)
    },
    async end() {
      rmdirSync(join(redis.dir, 'dump.rdb'))
      await config('save', '')
    },
  },
  'is loading its data': {
    code: 'ERR_SESSION_UNAVAILABLE',
    fails: EVERYTHING,
    async begin() {
      loading = await beginLoading(redis)
    },
    end: () => loading.end(),
  },
  'is busy with a script': {
    code: 'ERR_SESSION_UNAVAILABLE',
    fails: EVERYTHING,
    async begin() {
      await config('lua-time-limit', '1')
      background = redis
        .connect()
        .eval('while true do end', 0)
        .catch(() => {})
      await until('BUSY')
    },
    end: () => redis.admin.script('KILL').then(() => background),
  },
  'forbids HGETALL': forbidding('hgetall', ['get', 'read', 'all']),
  'forbids HMGET': forbidding('hmget', ['read fields', 'exists', 'info']),
  'forbids EVALSHA': forbidding('evalsha', WRITES),
  'forbids HSET in scripts': forbidding('hset', WRITES),
  'forbids DEL': forbidding('del', ['destroy']),
  'forbids SCAN': forbidding('scan', ['length', 'all']),
  'forbids everything': forbidding('@all', EVERYTHING),
  'allows other keys only': {
    code: 'ERR_SESSION_FORBIDDEN',
    fails: EVERYTHING.filter((name) => !['length', 'ping'].includes(name)),
    begin: () => redis.admin.call('ACL', 'SETUSER', 'app', 'resetkeys', '~others:*'),
    end: () => redis.admin.call('ACL', 'SETUSER', 'app', '~*'),
  },
}

async function during<T>({ begin, end }: Refusal, what: () => Promise<T>): Promise<T> {
  await begin()
  try {
    return await what()
  } finally {
    await end()
    // After a probe that took long, the next one comes up to half a second later.
    while (await failureOf(store.exists('hush-nobody'))) await sleep(5)
  }
}

describe.each(Object.entries(refusals))('while Redis %s', (_name, refusal) => {
  const { code, codeOfDestroy = code, fails } = refusal
  const codeOf = (name: string) => (name === 'destroy' ? codeOfDestroy : code)

  test('what it refuses fails with the code and status 503, writes nothing and tells no secret', async () => {
    const operations = Object.entries(await work())
    const before = await redis.admin.hgetall(`${PREFIX}hush-kept`)
    const outcomes = await during(refusal, async () => {
      const seen: [string, Failure | undefined][] = []
      for (const [name, operation] of operations) seen.push([name, await failureOf(operation())])
      return seen
    })
    expect(outcomes.map(([name, failure]) => [name, failure?.code])).toEqual(
      operations.map(([name]) => [name, fails.includes(name) ? codeOf(name) : undefined]),
    )
    for (const [, failure] of outcomes) {
      if (failure === undefined) continue
      expect(failure).toMatchObject({ status: 503, error: { name: 'SessionStoreError' } })
      expect(failure.ms).toBeLessThan(AT_ONCE_MS)
      expectNoSecrets(failure.error, SECRETS)
    }
    if (fails.includes('set of a new session')) {
      expect(await redis.admin.hgetall(`${PREFIX}hush-kept`)).toEqual(before)
      expect(await redis.admin.exists(`${PREFIX}hush-new`)).toBe(0)
    }
    expect(await redis.admin.exists(`${PREFIX}hush-victim`)).toBe(fails.includes('destroy') ? 1 : 0)
    expect(await store.get('hush-kept')).toMatchObject({ value: expect.stringContaining('hush-') })
  })

  test('a request whose session it refuses is answered 503, without a new session, and goes on afterwards', async () => {
    await work()
    app.errors.splice(0)
    const answers = await during(refusal, async () => [
      { needs: ['get'], answer: await app.visit('/show', 'hush-kept') },
      { needs: ['get', 'set of a changed session'], answer: await app.visit('/save/hush-changed', 'hush-kept') },
      { needs: ['get', 'destroy'], answer: await app.visit('/login', 'hush-kept') },
      { needs: ['get', 'destroy'], answer: await app.visit('/logout', 'hush-leaving') },
    ])
    for (const { needs, answer } of answers) {
      const isRefused = needs.some((name) => fails.includes(name))
      expect(answer.status).toBe(isRefused ? 503 : 200)
      if (isRefused) expect(answer.body).toEqual({ code })
      if (isRefused) expect(answer.headers['set-cookie']).toBeUndefined()
    }
    for (const err of app.errors) expectNoSecrets(err, SECRETS)
    const hasLoggedOut = !fails.includes('get') && !fails.includes('destroy')
    await app.visit('/show', 'hush-leaving').expect(200, { hasSession: true, value: hasLoggedOut ? null : VALUE })
    expect((await app.visit('/show', 'hush-kept').expect(200)).body.value === null).toBe(hasLoggedOut)
  })
})
