import { join } from 'node:path'
import { RedisStore, type RedisStoreOptions, type SessionEvents } from 'connect-redis-hash'
import { createClient, createCluster, createSentinel } from 'redis'
import * as redis5 from 'redis5'
import { expectNoSecrets, failureOf } from '../../support/failure.js'
import { Link } from '../../support/link.js'
import { CACHE, isCaching } from '../../support/near-cache.js'
import { connectNodeRedis, connectNodeRedis5, type NodeRedis, SOCKET } from '../../support/node-redis.js'
import { PATIENCE } from '../../support/patience.js'
import { type PrivateRedis, privateRedis } from '../../support/private-redis.js'
import { freshPrefix } from '../../support/redis.js'
import { ANY_CHANNEL } from '../../support/server.js'
import { until } from '../../support/until.js'

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any

/** What node-redis does for maintenance notifications. */
interface Movable {
  duplicate(): NodeRedis & Movable
  _ejectSocket(): unknown
  _insertSocket(socket: unknown): void
}

const cookie = { originalMaxAge: 600_000 }
const indexes = { user: (held: Bag) => held.userId }
const stores: RedisStore[] = []
const clients: NodeRedis[] = []

afterEach(async () => {
  jest.restoreAllMocks()
  for (const store of stores.splice(0)) await store.close()
  for (const client of clients.splice(0)) if (client.isOpen) client.destroy()
})

function kept<C extends object>(client: C): NodeRedis {
  clients.push(client as unknown as NodeRedis)
  return client as unknown as NodeRedis
}

function storeOn(client: NodeRedis, options: Partial<RedisStoreOptions> = {}): RedisStore {
  const store = new RedisStore({ client, prefix: freshPrefix(), indexes, ...PATIENCE, ...options } as RedisStoreOptions)
  stores.push(store)
  return store
}

const session = (more: object = {}) => ({ cookie, ...more }) as never

/** Returns the prototype of a client that has this method. */
function kindWith(method: string, client: object): object {
  const kind = Object.getPrototypeOf(client) as object
  return Object.hasOwn(kind, method) ? kind : kindWith(method, kind)
}

describe.each<[string, (options?: object) => NodeRedis, object]>([
  ['node-redis 6', connectNodeRedis, createClient()],
  ['node-redis 5', connectNodeRedis5, redis5.createClient()],
])('%s', (_name, connect, anyClient) => {
  test('a walk that is the first thing that it is asked for', async () => {
    expect(await storeOn(kept(connect())).length()).toBe(0)
  })

  test('walks over all keys, indexes, limit, counts and sizes work', async () => {
    const store = storeOn(kept(connect()), {
      activity: true,
      limit: { index: 'user', max: 3, onExceed: 'evict' },
      scanCount: 2,
    })
    for (let i = 0; i < 5; i++) await store.set(`s${i}`, session({ userId: 'ada', n: i }))
    await store.set('other', session({ userId: 'bob' }))
    expect((await store.ids()).sort()).toEqual(['other', 's2', 's3', 's4'])
    expect(await store.length()).toBe(4)
    expect((await store.findBy('user', 'ada')).length).toBe(3)
    expect(await store.countBy('user', 'ada')).toBe(3)
    expect(await store.increment('s4', 'n')).toBe(5)
    expect(await store.read('s4', ['n'])).toEqual({ n: 5 })
    expect(await store.patch('s4', { n: 7 } as never)).toBe(true)
    expect(await store.stats()).toMatchObject({ sessions: 4 })
    expect(await store.destroyBy('user', 'ada', { except: 's3', thorough: true })).toBe(2)
    expect((await store.ids()).sort()).toEqual(['other', 's3'])
    await store.clear()
    expect(await store.length()).toBe(0)
  })

  test('once a session has been read, nothing of it is left in the replies that the client holds', async () => {
    const prefix = freshPrefix()
    const store = storeOn(kept(connect()), { prefix })
    await store.set('a', session({ name: 'Ada Lovelace' }))
    const replies: Promise<unknown>[] = []
    // All clients of one server have it, those in a client of a Cluster or of Sentinels, too.
    const kind = kindWith('sendCommand', anyClient) as { sendCommand: (args: string[]) => Promise<unknown> }
    const { sendCommand } = kind
    jest.spyOn(kind, 'sendCommand').mockImplementation(function (this: unknown, ...args) {
      const reply = sendCommand.apply(this, args)
      if (args[0].includes(`${prefix}a`)) replies.push(reply)
      return reply
    })

    expect(await store.get('a')).toMatchObject({ name: 'Ada Lovelace' })
    expect(await store.read('a', ['name'])).toEqual({ name: 'Ada Lovelace' })

    expect(replies.length).toBe(2)
    expect(JSON.stringify(await Promise.all(replies))).not.toContain('Ada')
  })

  test('onEnd gets the last content of a session', async () => {
    const ended: unknown[] = []
    const store = storeOn(kept(connect()), {
      onEnd: async ({ session: held }, reason) => void ended.push([(held as Bag).userId, reason]),
    })
    await store.set('a', session({ userId: 'ada' }))
    await store.destroy('a')
    await until('it is handed over', () => ended.length === 1)
    expect(ended).toEqual([['ada', 'destroyed']])
  })

  test('broadcast: another process hears of an end', async () => {
    const [here, there] = [kept(connect()), kept(connect())]
    const prefix = freshPrefix()
    const store = storeOn(here, { broadcast: true, prefix })
    const other = storeOn(there, { broadcast: true, prefix })
    await until('it is heard', async () => {
      await other.set('a', session())
      await other.destroy('a')
      return store.counters.ended > 0
    })
  })

  test('a session that another process changes or ends leaves the near cache at once', async () => {
    const prefix = freshPrefix()
    const here = kept(connect())
    const store = storeOn(here, { cache: CACHE, prefix })
    const other = storeOn(kept(connect()), { prefix })
    await isCaching(store, { client: here })
    await other.set('a', session({ n: 1 }))
    await until('it is cached', async () => {
      const { hits } = store.cacheStats as { hits: number }
      expect(await store.get('a')).toMatchObject({ n: 1 })
      return store.cacheStats?.hits !== hits
    })
    await other.patch('a', { n: 2 } as never)
    await until('the change is seen', async () => ((await store.get('a')) as Bag).n === 2)
    await other.destroy('a')
    await until('the end is seen', async () => (await store.get('a')) === null)
  })

  test('the application asks for Buffers: the store still gets text', async () => {
    const store = storeOn(kept(connect({ commandOptions: { typeMapping: { 36: Buffer, 43: Buffer } } })))
    await store.set('a', session({ userId: 'ada' }))
    expect(await store.get('a')).toMatchObject({ userId: 'ada' })
    expect((await store.findBy('user', 'ada')).length).toBe(1)
    expect(await store.ids()).toEqual(['a'])
  })

  test('the store never closes the client', async () => {
    const client = kept(connect())
    const store = storeOn(client, { broadcast: true, cache: CACHE })
    await store.set('a', session())
    await store.close()
    expect(client.isOpen).toBe(true)
  })

  test('after the application has closed the client, every operation fails at once', async () => {
    const client = kept(connect())
    const store = storeOn(client)
    await store.set('a', session())
    await client.close()
    const start = performance.now()
    expect(await failureOf(store.get('a'))).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
    expect(performance.now() - start).toBeLessThan(500)
  })
})

test('a client may be connected after the store is made', async () => {
  const client = kept(createClient({ socket: { path: process.env.TEST_REDIS_SOCKET as string, tls: false } }))
  client.on('error', () => {})
  const store = storeOn(client, { cache: CACHE, broadcast: true, timeout: 1000 })
  expect(await failureOf(store.get('a'))).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE' })
  await client.connect()
  await until('it works', async () => (await failureOf(store.set('a', session()))) === undefined)
  await isCaching(store, { client })
})

describe('on a Redis of its own', () => {
  let redis: PrivateRedis
  beforeAll(async () => {
    redis = await privateRedis()
  })
  afterAll(() => redis.stop())

  const connectOne = (library: typeof createClient = createClient, options: object = {}) => {
    const socket = { path: redis.socketPath, tls: false as const, ...SOCKET }
    const client = kept(library({ socket, commandsQueueMaxLength: 1000, ...options }))
    client.on('error', () => {})
    void client.connect().catch(() => undefined)
    return client
  }
  const libraries: [string, typeof createClient][] = [
    ['node-redis 6', createClient],
    ['node-redis 5', redis5.createClient as unknown as typeof createClient],
  ]
  /** A login that changes: how often it was asked for, and how often that has ended. */
  const changingLogin = () => {
    const login = {
      subscribed: 0,
      disposed: 0,
      password: 'right',
      answered: Promise.resolve(),
      type: 'streaming-credentials-provider',
      subscribe: async () => {
        login.subscribed += 1
        if (login.subscribed > 1) await login.answered
        return [{ username: 'app', password: login.password }, { dispose: () => (login.disposed += 1) }]
      },
      onReAuthenticationError: () => {},
    }
    return login
  }

  test('a connection that the provider replaces by another one that is ready: the cache is proven anew', async () => {
    const client = connectOne() as NodeRedis & Movable
    const store = storeOn(client, { cache: CACHE })
    await store.set('a', session())
    await isCaching(store, { client })
    await until('it is cached', async () => {
      const before = store.cacheStats?.hits
      await store.get('a')
      return store.cacheStats?.hits !== before
    })
    const other = client.duplicate()
    await other.connect()
    client._insertSocket(other._ejectSocket())
    const hits = store.cacheStats?.hits
    expect(await store.get('a')).not.toBeNull()
    expect(store.cacheStats?.hits).toBe(hits)
    await isCaching(store, { client })
  })

  test.each(libraries)('%s: a read is one command, HGETALL, and so is a cached one none', async (_name, library) => {
    const client = connectOne(library)
    const store = storeOn(client)
    await store.set('a', session({ userId: 'ada' }))
    await redis.takeCalls()
    for (let i = 0; i < 10; i++) await store.get('a')
    expect(await redis.takeCalls()).toEqual({ hgetall: 10 })
  })

  test.each(libraries)(
    '%s: connections are killed: near cache and broadcast come back, and nothing outdated is served',
    async (_name, library) => {
      const prefix = freshPrefix()
      const client = connectOne(library)
      const store = storeOn(client, { cache: CACHE, broadcast: true, prefix })
      const other = storeOn(connectOne(library), { broadcast: true, prefix })
      await isCaching(store, { client })
      await other.set('a', session({ n: 0 }))
      for (let round = 1; round <= 3; round++) {
        await store.get('a')
        await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
        await until('the other one writes', async () => {
          await other.patch('a', { n: round } as never)
          return true
        })
        await until('it reads', async () => {
          const loaded = (await store.get('a')) as Bag
          if (loaded.n !== round) throw new Error(`outdated: ${loaded.n}`)
          return true
        })
        await until('it is cached again', () => isCaching(store, { client }).then(() => true))
      }
      const { ended } = store.counters
      await until('it hears again', async () => {
        await other.set('b', session())
        await other.destroy('b')
        return store.counters.ended > ended
      })
    },
  )

  test.each(libraries)(
    '%s: Redis hangs: operations fail in time, then at once, and work when it goes on',
    async (_name, library) => {
      const store = storeOn(connectOne(library), { timeout: 300 })
      await until('it writes', async () => (await failureOf(store.set('a', session()))) === undefined)
      const before = { ...store.counters }
      process.kill(redis.pid, 'SIGSTOP')
      const start = performance.now()
      expect(await failureOf(store.get('a'))).toMatchObject({ code: 'ERR_SESSION_TIMEOUT', status: 503 })
      expect(performance.now() - start).toBeGreaterThan(250)
      await until('the circuit is open', async () => {
        const asked = performance.now()
        await failureOf(store.get('a'))
        return performance.now() - asked < 50
      })
      process.kill(redis.pid, 'SIGCONT')
      await until('it works again', async () => (await store.get('a')) !== null)
      const { unavailable, available } = store.counters
      expect([unavailable - before.unavailable, available - before.available]).toEqual([1, 1])
    },
  )

  test.each(libraries)(
    '%s: what nobody waits for any more while there is no connection is not sent later',
    async (_name, library) => {
      const line = new Link({ path: redis.socketPath })
      await line.open()
      const client = connectOne(library, { socket: { port: line.port, ...SOCKET } })
      const store = storeOn(client, { timeout: 200 })
      await until('it writes', async () => (await failureOf(store.set('a', session()))) === undefined)
      line.become('refusing')
      await until('it is noticed', async () => (await failureOf(store.get('a'))) !== undefined)
      const late = Array.from({ length: 20 }, (_, i) => failureOf(store.set(`late-${i}`, session())))
      for (const failure of await Promise.all(late)) expect(failure).toMatchObject({ status: 503 })
      line.become('good')
      await until('it is back', async () => (await failureOf(store.get('a'))) === undefined)
      for (let i = 0; i < late.length; i++) expect(await store.exists(`late-${i}`)).toBe(false)
      await line.close()
    },
  )

  test.each(libraries)(
    '%s: links that have died in silence are noticed and said, and are back afterwards, with each reply at its command',
    async (_name, library) => {
      const line = new Link({ path: redis.socketPath })
      await line.open()
      const client = connectOne(library, { socket: { port: line.port, ...SOCKET } })
      const store = storeOn(client, { cache: CACHE, broadcast: true, timeout: 1000 })
      const told: string[] = []
      store.on('warning', (warning) => 'kind' in warning && told.push(`${warning.kind} ${warning.code}`))
      await isCaching(store, { client })
      expect(told).toEqual([])
      line.become('silent')
      const down = ['broadcast side-connection-down', 'cache side-connection-down']
      await until('both are said to be down', () => down.every((one) => told.includes(one)))
      line.reset()
      line.become('good')
      await isCaching(store, { client })
      await until('both are said to be back', () => told.filter((one) => one.endsWith('-up')).length >= 2)
      await line.close()
    },
  )

  test.each(libraries)(
    '%s: a connection of the store that cannot be made leaves nothing behind in the client',
    async (_name, library) => {
      const line = new Link({ path: redis.socketPath })
      await line.open()
      const client = connectOne(library, { socket: { port: line.port, ...SOCKET } }) as NodeRedis & Movable
      await until('it is connected', () => (client as unknown as { isReady: boolean }).isReady)
      const destroys: jest.SpyInstance[] = []
      const { duplicate } = client
      jest.spyOn(client, 'duplicate').mockImplementation((...args) => {
        const made = duplicate.apply(client, args)
        destroys.push(jest.spyOn(made, 'destroy'))
        return made
      })
      await line.close()
      storeOn(client, { broadcast: true })
      await until('it has been tried', () => destroys.length > 3)
      for (const destroy of destroys.slice(0, 3)) expect(destroy).toHaveBeenCalled()
    },
  )

  test.each(libraries)(
    '%s: a connection of the store that may not log in leaves no subscription to its login',
    async (_name, library) => {
      await redis.admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>right', '~*', ...ANY_CHANNEL, '+@all')
      const login = changingLogin()
      const client = connectOne(library, { credentialsProvider: login })
      await until('it is connected', () => (client as unknown as { isReady: boolean }).isReady)
      login.password = 'wrong'
      storeOn(client, { broadcast: true })
      // That of the client stays, and the latest attempt may be under way.
      await until('each attempt is over', () => login.subscribed > 4 && login.subscribed - login.disposed <= 2)
    },
  )

  test.each(libraries)(
    '%s: a connection of the store that is closed while it asks for its login ends what it gets',
    async (_name, library) => {
      await redis.admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>right', '~*', ...ANY_CHANNEL, '+@all')
      const login = changingLogin()
      let answer = () => {}
      login.answered = new Promise((resolve) => {
        answer = resolve
      })
      const client = connectOne(library, { credentialsProvider: login })
      await until('it is connected', () => (client as unknown as { isReady: boolean }).isReady)
      const store = storeOn(client, { broadcast: true })
      await until('it asks', () => login.subscribed === 2)
      await store.close()
      answer()
      await until('it is ended', () => login.disposed === 1)
    },
  )

  test.each(libraries)(
    '%s: with a timeout that is no whole number, a command waits as long for the connection',
    async (_name, library) => {
      const client = connectOne(library, { socket: { path: join(redis.dir, 'nobody.sock'), tls: false, ...SOCKET } })
      const store = storeOn(client, { timeout: 1000 / 3 })
      const failure = await failureOf(store.get('a'))
      expect(failure).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
      expect(failure?.ms).toBeGreaterThan(300)
    },
  )

  test('before a login, whatever Redis says is a missing permission', async () => {
    await redis.admin.config('SET', 'requirepass', 'hush')
    try {
      const store = storeOn(connectOne(), { timeout: 300 })
      const works = [store.get('a'), store.set('a', session({ userId: 'ada' }))]
      for (const failure of await Promise.all(works.map(failureOf))) {
        expect(failure?.code).toMatch(/^ERR_SESSION_(FORBIDDEN|UNAVAILABLE)$/)
      }
    } finally {
      await redis.admin.config('SET', 'requirepass', '')
    }
  })

  test('an error reply keeps its meaning, and says nothing of the session', async () => {
    const store = storeOn(connectOne())
    await store.set('a', session())
    await redis.admin.call('SCRIPT', 'FLUSH')
    await store.patch('a', { n: 1 } as never)
    await redis.admin.config('SET', 'maxmemory', '1')
    const failure = await failureOf(store.set('hush', session()))
    await redis.admin.config('SET', 'maxmemory', '0')
    expect(failure).toMatchObject({ code: 'ERR_SESSION_OUT_OF_MEMORY', status: 503 })
    expectNoSecrets(failure?.error, ['hush'])
  })

  test('a changed password is taken by connections of the store, too', async () => {
    await redis.admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>one', '~*', ...ANY_CHANNEL, '+@all')
    const login = { username: 'app', password: 'one' }
    const credentials = async () => ({ ...login })
    const client = connectOne(createClient, {
      credentialsProvider: { type: 'async-credentials-provider', credentials },
    })
    const store = storeOn(client, { cache: CACHE, broadcast: true })
    await isCaching(store, { client })
    login.password = 'two'
    await redis.admin.call('ACL', 'SETUSER', 'app', 'resetpass', '>two')
    await redis.admin.call('CLIENT', 'KILL', 'USER', 'app')
    await until('it is cached again', () => isCaching(store, { client }).then(() => true))
  })
})

describe('settings that do harm', () => {
  async function warningsOf(client: object): Promise<SessionEvents['warning'][]> {
    const heard: SessionEvents['warning'][] = []
    const store = storeOn(kept(client))
    store.on('warning', (warning) => heard.push(warning))
    await new Promise((resolve) => setImmediate(resolve))
    return heard
  }
  const good = { commandsQueueMaxLength: 1000 }

  test.each([
    ['commandsQueueMaxLength', () => createClient()],
    ['disableOfflineQueue', () => createClient({ ...good, disableOfflineQueue: true })],
    ['socket.reconnectStrategy', () => createClient({ ...good, socket: { reconnectStrategy: false } })],
    ['socket.connectTimeout', () => createClient({ ...good, socket: { connectTimeout: 0 } })],
    ['pingInterval', () => createClient({ ...good, socket: { ...SOCKET, socketTimeout: 1000 } })],
    ['socket.socketTimeout', () => createClient({ ...good, pingInterval: 100, socket: { socketTimeout: 1000 } })],
    ['commandsQueueMaxLength', () => createCluster({ rootNodes: [{ url: 'redis://localhost:7000' }] })],
  ])('%s: one warning that names it', async (name, make) => {
    const message = expect.stringMatching(new RegExp(`"${name.replace('.', '[.]')}.*docs/clients[.]md`))
    expect(await warningsOf(make())).toEqual([{ code: 'client-settings', message }])
  })

  test.each([
    ['a client with a limited queue', () => createClient(good)],
    [
      'socketTimeout with pingInterval and a strategy',
      () => createClient({ ...good, pingInterval: 100, socket: { ...SOCKET, socketTimeout: 1000 } }),
    ],
    [
      'a Cluster with a limited queue',
      () => createCluster({ rootNodes: [{ url: 'redis://localhost:7000' }], defaults: good }),
    ],
  ])('%s: no warning', async (_name, make) => {
    expect(await warningsOf(make())).toEqual([])
  })
})

test('every kind of client of node-redis is accepted before it is connected', async () => {
  const sentinel = { name: 'mymaster', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] }
  const redis6 = { createClient, createCluster, createSentinel }
  for (const library of [redis6, redis5 as unknown as typeof redis6]) {
    const made = [
      library.createClient(),
      library.createCluster({ rootNodes: [{ url: 'redis://localhost:7000' }] }),
      library.createSentinel(sentinel),
    ]
    for (const client of made) {
      const store = storeOn(client as unknown as NodeRedis, { timeout: 1000 })
      expect(await failureOf(store.get('a'))).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE' })
    }
  }
})
