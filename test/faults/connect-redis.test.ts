import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectRedisOptions, RedisStoreOptions } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { expectNoSecrets, failsAtOnce, failureOf } from '../support/failure.js'
import { figure } from '../support/figures.js'
import { freePorts, RedisNode } from '../support/redis-node.js'
import { testSince } from '../support/server.js'
import { type Outage, traffic } from '../support/traffic.js'
import { until } from '../support/until.js'
import { waitingIn } from '../support/waiting-in.js'

// What requests see of a single Redis that goes away and comes back, through the client that connectRedis makes.

type Library = typeof import('connect-redis-hash')

const TIMEOUT_MS = 1000
/** A busy machine takes this much longer. */
const SLACK_MS = 1500

/** A run over another library has that one throughout (test/support/other-library.ts). */
const { TEST_CLIENT: other } = process.env
const LIBRARIES = other === undefined ? ['ioredis', 'ioredis5', 'ioredis5-lowest'] : [other]

describe.each(LIBRARIES)('a client of %s', (ioredis) => {
  const dir = mkdtempSync(join(tmpdir(), 'crh-single-'))
  const clients: Redis[] = []
  let library: Library
  let redis: RedisNode

  beforeAll(async () => {
    library = await libraryOn(ioredis)
  })
  beforeEach(async () => {
    redis = new RedisNode(join(dir, String(clients.length)), ...(await address()))
  })
  afterEach(async () => {
    for (const client of clients) client.disconnect()
    await redis.kill()
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  function connect(options: ConnectRedisOptions = {}): Redis {
    const client = library.connectRedis(`redis://127.0.0.1:${redis.port}`, options)
    client.on('error', () => {})
    clients.push(client)
    return client
  }

  const storeOn = (client: Redis, options: Partial<RedisStoreOptions> = {}) =>
    new library.RedisStore({ client, timeout: TIMEOUT_MS, touchInterval: 0, ...options })

  /** Reads and writes sessions as requests do. */
  function visits(client: Redis) {
    const store = storeOn(client)
    return traffic(async (i) => {
      const sid = `hush-${i % 20}`
      const session = (await store.get(sid)) ?? { cookie: { originalMaxAge: null } }
      await store.set(sid, Object.assign(session, { visits: i }) as never)
    })
  }

  function expectInTime({ failures, slowestMs, lagMs }: Outage): void {
    for (const { code, error } of failures) {
      expect(code).toMatch(/^ERR_SESSION_(UNAVAILABLE|TIMEOUT)$/)
      expectNoSecrets(error, ['hush-', 'sess:'])
    }
    // A visit does two operations, each with its own deadline.
    expect(slowestMs).toBeLessThan(2 * (TIMEOUT_MS + lagMs) + SLACK_MS)
  }

  test('what is sent right after it was made waits for the connection', async () => {
    await redis.start()
    const client = connect()
    // Shows that the client is of this version: only 6 has the option.
    expect(client.options.protocol).toBe(ioredis === 'ioredis' ? 3 : undefined)
    const store = storeOn(client)
    await Promise.all([store.set('hush-1', { value: 1 }), store.set('hush-2', { value: 2 })])
    expect(await storeOn(connect()).get('hush-2')).toEqual({ value: 2 })
  })

  test('with no Redis there at the start: fails in time, at once later on, and works once there is one', async () => {
    const client = connect()
    const store = storeOn(client)
    const failure = await failureOf(store.get('hush-sid'))
    expect(failure).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
    expect(failure?.ms).toBeLessThan(TIMEOUT_MS + SLACK_MS)
    await until('it waits no longer', () => failsAtOnce(() => store.get('hush-sid')))
    expect(client.status).not.toBe('end')
    await redis.start()
    const start = performance.now()
    // The circuit breaker may have opened; its next probe notices that Redis is there.
    await until('it saves', () =>
      store.set('hush-sid', { value: 1 }).then(
        () => true,
        () => false,
      ),
    )
    figure(`${ioredis}: Redis comes up`, { recovery: performance.now() - start })
    expect(performance.now() - start).toBeLessThan(1000 + SLACK_MS)
    expect(await store.get('hush-sid')).toEqual({ value: 1 })
  })

  test('killed and started again: requests fail at once meanwhile, and go well within a second of its start', async () => {
    await redis.start()
    const client = connect()
    const visiting = visits(client)
    await visiting.goesWell()
    await redis.kill()
    await until('requests fail', () => visiting.failures.length > 20)
    expect(waitingIn(client)).toBe(0)
    await redis.start()
    const start = performance.now()
    await visiting.goesWell(1)
    const recovery = performance.now() - start
    await visiting.goesWell()
    const outage = await visiting.stop()
    figure(`${ioredis}: restart`, { window: outage.windowMs, recovery, slowest: outage.slowestMs })
    expect(recovery).toBeLessThan(1000 + SLACK_MS)
    // No request has waited for its deadline: the store knows at once that there is no connection.
    expect(outage.slowestMs).toBeLessThan(TIMEOUT_MS * 0.8 + 2 * outage.lagMs)
    expectInTime(outage)
  })

  test('halted for a while: requests fail at their deadline, then at once, and go well when it goes on', async () => {
    await redis.start()
    const client = connect()
    const visiting = visits(client)
    await visiting.goesWell()
    redis.halt()
    await until('the connection is given up', () => client.status !== 'ready')
    const before = visiting.failures.length
    await until('requests fail', () => visiting.failures.length > before + 20)
    expect(visiting.failures.at(-1)?.ms).toBeLessThan(TIMEOUT_MS / 2)
    redis.resume()
    const start = performance.now()
    await visiting.goesWell(1)
    const recovery = performance.now() - start
    await visiting.goesWell()
    const outage = await visiting.stop()
    figure(`${ioredis}: hang`, { window: outage.windowMs, recovery, slowest: outage.slowestMs })
    expect(recovery).toBeLessThan(2000 + SLACK_MS)
    expectInTime(outage)
  })

  // Redis before 6.2 cannot pause writes alone.
  testSince(6, 2)('a connection lost with a command under way: it fails at once, not at its deadline', async () => {
    await redis.start()
    const client = connect({ commandTimeout: 8000, socketTimeout: 2000 })
    let closed = 0
    client.on('close', () => {
      closed += 1
    })
    const store = storeOn(client, { timeout: 8000 })
    await store.set('hush-sid', { value: 1 })
    await redis.send('CLIENT', 'PAUSE', 5000, 'WRITE')
    const saving = failureOf(store.set('hush-sid', { value: 2 }))
    await until('it has come to Redis', async () => /cmd=(eval|evalsha) /.test(await redis.send('CLIENT', 'LIST')))
    const start = performance.now()
    await redis.send('CLIENT', 'KILL', 'TYPE', 'normal')
    expect((await saving)?.code).toBe('ERR_SESSION_UNAVAILABLE')
    expect((await saving)?.ms).toBeLessThan(4000)
    await redis.send('CLIENT', 'UNPAUSE')
    await until('it is connected', () => client.status === 'ready')
    figure(`${ioredis}: connection lost`, { recovery: performance.now() - start })
    // On a busy machine the save has waited for so long that the circuit breaker has opened. It closes with the next probe.
    await until('it reads', () => store.get('hush-sid').then(Boolean, () => false))
    expect(await store.get('hush-sid')).toEqual({ value: 1 })
    // By then the timer of the lost connection is over; it must not end the next connection.
    await sleep(2100)
    expect(closed).toBe(1)
  })

  test('a Redis that has become a replica: the write fails, and the client looks for the master again', async () => {
    await redis.start()
    const client = connect()
    const store = storeOn(client)
    await store.set('hush-sid', { value: 1 })
    await redis.send('REPLICAOF', '127.0.0.1', 1)
    const closed = new Promise((close) => client.once('close', close))
    expect((await failureOf(store.set('hush-sid', { value: 2 })))?.code).toBe('ERR_SESSION_READONLY')
    await closed
    await redis.send('REPLICAOF', 'NO', 'ONE')
    const start = performance.now()
    await until('it writes again', () => store.set('hush-sid', { value: 3 }).then(() => true))
    figure(`${ioredis}: READONLY`, { recovery: performance.now() - start })
    expect(await store.get('hush-sid')).toEqual({ value: 3 })
  })

  test('a duplicate waits for its connection, too, and then fails at once without one', async () => {
    await redis.start()
    const client = connect({ commandTimeout: 700 })
    await client.ping()
    const copy = client.duplicate({ connectionName: 'copy' })
    copy.on('error', () => {})
    clients.push(copy)
    await copy.subscribe('hush')
    await copy.unsubscribe('hush')
    expect(copy.options).toMatchObject({ commandTimeout: 700, connectionName: 'copy' })
    await redis.kill()
    await until('it fails at once', () => failsAtOnce(() => copy.ping()))
  })

  test('another process hears of ended sessions, also after Redis was started again', async () => {
    await redis.start()
    const [here, there] = [storeOn(connect(), { broadcast: true }), storeOn(connect(), { broadcast: true })]
    const heard: string[] = []
    there.on('ended', ({ reason }) => heard.push(reason))
    const ends = async () => {
      await here.set('hush-sid', { value: 1 })
      await here.destroy('hush-sid')
      return heard.length > 0
    }
    await until('a message has come', ends)
    await redis.kill()
    await redis.start()
    heard.length = 0
    await until('a message has come again', ends)
    await Promise.all([here.close(), there.close()])
  })
})

async function address(): Promise<[port: number, args: string[]]> {
  const [port] = (await freePorts(1)) as [number]
  return [port, ['--save', '', '--appendonly', 'yes']]
}

/** The whole library, which imports this package as its ioredis. */
async function libraryOn(ioredis: string): Promise<Library> {
  let library: Library | undefined
  await jest.isolateModulesAsync(async () => {
    if (other === undefined) jest.doMock('ioredis', () => jest.requireActual(ioredis))
    library = await import('connect-redis-hash')
    // ioredis is loaded with the first client.
    library.connectRedis('redis://localhost:6379', { lazyConnect: true })
  })
  jest.dontMock('ioredis')
  return library as Library
}
