import type { NetConnectOpts } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore } from 'connect-redis-hash'
import { createSentinel } from 'redis'
import * as redis5 from 'redis5'
import { failureOf } from '../support/failure.js'
import { Link } from '../support/link.js'
import { CACHE, isCaching } from '../support/near-cache.js'
import { type NodeRedis, SETTINGS, SOCKET } from '../support/node-redis.js'
import { type SentinelRig, startSentinelRig } from '../support/sentinel-rig.js'
import { until } from '../support/until.js'

// node-redis and Sentinels: the master dies or hangs, another one takes its place, and everything goes on there.

const TIMEOUT_MS = 1000
const session = (more: object = {}) => ({ cookie: { originalMaxAge: 600_000 }, ...more }) as never

let rig: SentinelRig
const stores: RedisStore[] = []
const clients: NodeRedis[] = []

beforeAll(async () => {
  rig = await startSentinelRig({ downAfterMs: 1000 })
})
afterEach(async () => {
  jest.restoreAllMocks()
  for (const store of stores.splice(0)) await store.close()
  for (const client of clients.splice(0)) if (client.isOpen) await client.destroy()
})
afterAll(() => rig.stop())

type Library = { createSentinel: typeof createSentinel }
const five = redis5 as unknown as Library

function connect(library: Library, sentinelRootNodes = rig.options.sentinels): NodeRedis {
  const client = library.createSentinel({
    name: rig.options.name,
    sentinelRootNodes,
    nodeClientOptions: { ...SETTINGS, socket: SOCKET },
  }) as unknown as NodeRedis
  client.on('error', () => {})
  void client.connect().catch(() => undefined)
  clients.push(client)
  return client
}

function storeOn(client: NodeRedis, options: object = {}): RedisStore {
  const store = new RedisStore({ client, timeout: TIMEOUT_MS, ...options })
  stores.push(store)
  return store
}

test.each<[string, Library, string, (rig: SentinelRig) => Promise<() => Promise<unknown>>]>([
  ['node-redis 6', { createSentinel }, 'dies', killMaster],
  ['node-redis 6', { createSentinel }, 'hangs', haltMaster],
  ['node-redis 5', five, 'dies', killMaster],
])(
  '%s: the master %s: operations fail in time, and go on at the new one, caches and broadcast too',
  async (_name, library, _how, hurt) => {
    await rig.healed()
    const client = connect(library)
    const store = storeOn(client, { cache: CACHE, broadcast: true, replicas: 1 })
    const other = storeOn(connect(library), { broadcast: true })
    await until('it writes', async () => (await failureOf(store.set('a', session({ n: 0 })))) === undefined)
    await isCaching(store, { client })
    const heal = await hurt(rig)
    let slowestMs = 0
    let failures = 0
    await until(
      'it goes on',
      async () => {
        const start = performance.now()
        const failure = await failureOf(store.set('b', session()))
        slowestMs = Math.max(slowestMs, performance.now() - start)
        if (failure === undefined) return failures > 0
        failures += 1
        expect(failure).toMatchObject({ status: 503, code: expect.stringMatching(/UNAVAILABLE|TIMEOUT|READONLY/) })
        return false
      },
      { timeoutMs: 60_000 },
    )
    expect(slowestMs).toBeLessThan(TIMEOUT_MS + 2000)
    await heal()
    await rig.healed()
    await until('it is cached again', () => isCaching(store, { client }).then(() => true), { timeoutMs: 30_000 })
    const { ended } = store.counters
    await until('it hears of what ends elsewhere', async () => {
      await other.set('c', session())
      await other.destroy('c')
      return store.counters.ended > ended
    })
    await until('a logout is confirmed by the replica', async () => {
      await store.set('d', session())
      await store.destroy('d')
      return true
    })
  },
)

// node-redis listens to one Sentinel, and does not ask again by itself.
test.each<[string, Library]>([
  ['node-redis 6', { createSentinel }],
  ['node-redis 5', five],
])(
  '%s: a gateway has forgotten the idle link to the Sentinel, and the master dies: its successor is found',
  async (_name, library) => {
    await rig.healed()
    // It is asked for after three seconds, not 90: these Sentinels have noticed by then that the master is gone.
    const { setTimeout } = globalThis
    const sooner = (run: () => void, ms: number) => setTimeout(run, ms === 90_000 ? 3000 : ms)
    jest.spyOn(globalThis, 'setTimeout').mockImplementation(sooner as never)
    const [sentinel] = rig.options.sentinels
    const line = new Link(sentinel as NetConnectOpts)
    line.forgetIdle(300)
    await line.open()
    try {
      const store = storeOn(connect(library, [{ host: '127.0.0.1', port: line.port }]))
      await until('it writes', async () => (await failureOf(store.set('a', session()))) === undefined)
      await sleep(3000)
      const old = await rig.master()
      await old.kill()
      await until('it goes on', async () => (await failureOf(store.set('b', session()))) === undefined)
      await old.start()
    } finally {
      await line.close()
    }
  },
)

async function killMaster(hurt: SentinelRig): Promise<() => Promise<unknown>> {
  const master = await hurt.master()
  await master.kill()
  return () => master.start()
}

async function haltMaster(hurt: SentinelRig): Promise<() => Promise<unknown>> {
  const master = await hurt.master()
  master.halt()
  return async () => master.resume()
}
