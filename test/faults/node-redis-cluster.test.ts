import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { RedisStore } from 'connect-redis-hash'
import { createCluster } from 'redis'
import * as redis5 from 'redis5'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { endsTold } from '../support/ends-told.js'
import { failureOf } from '../support/failure.js'
import { CACHE, isCaching } from '../support/near-cache.js'
import { type NodeRedis, SETTINGS, SOCKET } from '../support/node-redis.js'
import type { RedisNode } from '../support/redis-node.js'
import { until } from '../support/until.js'

// node-redis and a Cluster: sessions on every master, slots that move, a master that dies.

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any

const session = (more: object = {}) => ({ cookie: { originalMaxAge: 600_000 }, ...more }) as never
const sids = Array.from({ length: 60 }, (_, i) => `hush-${i}`)

let rig: ClusterRig
const stores: RedisStore[] = []
const clients: NodeRedis[] = []

beforeAll(async () => {
  rig = await startClusterRig({ nodeTimeoutMs: 1000 })
})
afterEach(async () => {
  for (const store of stores.splice(0)) {
    await store.clear().catch(() => undefined)
    await store.close()
  }
  for (const client of clients.splice(0)) if (client.isOpen) client.destroy()
})
afterAll(() => rig.stop())

type Library = { createCluster: typeof createCluster }
const libraries: [string, Library][] = [
  ['node-redis 6', { createCluster }],
  ['node-redis 5', redis5 as unknown as Library],
]

function connect(library: Library, options: object = {}): NodeRedis {
  const rootNodes = rig.addresses.map((address) => ({ socket: { ...address, ...SOCKET } }))
  const defaults = { ...SETTINGS, socket: SOCKET }
  const client = library.createCluster({ rootNodes, defaults, ...options }) as unknown as NodeRedis
  client.on('error', () => {})
  void client.connect().catch(() => undefined)
  clients.push(client)
  return client
}

function storeOn(client: NodeRedis, options: object = {}): RedisStore {
  const indexes = { user: (held: Bag) => held.userId }
  const store = new RedisStore({ client, indexes, touchInterval: 0, timeout: 5000, ...options })
  stores.push(store)
  return store
}

const fill = (store: RedisStore) =>
  Promise.all(sids.map((sid, i) => store.set(sid, session({ userId: `u${i % 3}`, value: i }))))

describe.each(libraries)('%s', (_name, library) => {
  test('sessions are on every master, and are found by id, by user, and by walks over all masters', async () => {
    const store = storeOn(connect(library))
    // Commands wait until the client is connected.
    await fill(store)
    for (const master of await rig.masters()) expect(await master.send('DBSIZE')).toMatch(/^:[1-9]/)
    expect((await store.ids()).sort()).toEqual([...sids].sort())
    expect(await storeOn(connect(library)).length()).toBe(sids.length)
    expect((await store.findBy('user', 'u1', { limit: 100 })).length).toBe(20)
    expect(await store.destroyBy('user', 'u1', { thorough: true })).toBe(20)
    expect(await store.length()).toBe(40)
  })

  test('connections are made only when needed: it works, too', async () => {
    const store = storeOn(connect(library, { minimizeConnections: true }), { broadcast: true })
    await fill(store)
    expect(await store.length()).toBe(sids.length)
    const other = storeOn(connect(library, { minimizeConnections: true }))
    expect(await other.length()).toBe(sids.length)
    expect(await other.destroyBy('user', 'u1', { thorough: true })).toBe(20)
    // A process that only listens sends no command of its own.
    const ended: unknown[] = []
    storeOn(connect(library, { minimizeConnections: true }), { broadcast: true }).on('ended', (one) => ended.push(one))
    await until('it hears of ends', async () => {
      await store.set('hush', session())
      await store.destroy('hush')
      return ended.length > 0
    })
  })

  test('slots move with their sessions: nothing is lost, and nothing outdated is served', async () => {
    const client = connect(library)
    const store = storeOn(client, { cache: CACHE })
    const other = storeOn(connect(library))
    await fill(store)
    await isCaching(store, { client })
    const sid = sids[0] as string
    for (let round = 1; round <= 3; round++) {
      const from = await rig.masterOf(`sess:${sid}`)
      const to = (await rig.masters()).find((one) => one !== from) as RedisNode
      await rig.migrate(`sess:${sid}`, to, async () => {
        for (const one of [store, other]) await one.get(sid)
      })
      await other.patch(sid, { value: `after ${round}` } as never)
      await until('the change is seen', async () => ((await store.get(sid)) as Bag)?.value === `after ${round}`, {
        timeoutMs: 2000,
      })
      expect(await store.length()).toBe(sids.length)
    }
    await store.destroy(sid)
    expect(await other.get(sid)).toBeNull()
  })

  test('a master dies: its sessions fail in time, those of others go on, and all work at its replica', async () => {
    await rig.healed()
    const client = connect(library)
    const store = storeOn(client, { cache: CACHE, broadcast: true })
    await fill(store)
    await isCaching(store, { client })
    const victim = (await rig.masterOf(`sess:${sids[0]}`)) as RedisNode
    const masters = await Promise.all(sids.map((sid) => rig.masterOf(`sess:${sid}`)))
    const elsewhere = sids.find((_, i) => masters[i] !== victim) as string
    await victim.kill()
    // At once: as soon as the others agree that it is dead, they refuse everything until its replica has taken over.
    const [there, others] = await Promise.all([
      failureOf(store.set(sids[0] as string, session())),
      failureOf(store.exists(elsewhere)),
    ])
    if (there !== undefined) expect(there).toMatchObject({ status: 503 })
    expect(others).toBeUndefined()
    await until(
      'all work again',
      async () => {
        for (const sid of sids) await store.set(sid, session())
        return true
      },
      { timeoutMs: 60_000 },
    )
    await until('walks reach every master', async () => (await store.length()) >= sids.length)
    await until('it is cached again', () => isCaching(store, { client }).then(() => true), { timeoutMs: 30_000 })
    await victim.start()
    await rig.healed()
  })

  test('the master hangs that the client knows first: Redis is ready, ends elsewhere are told, and its sessions work at its replica', async () => {
    await rig.healed()
    const client = connect(library)
    // An index entry may be on the master that hangs.
    const store = storeOn(client, { timeout: 1000, broadcast: true, indexes: {} })
    await fill(store)
    const [first] = (client as unknown as { masters: { address: string }[] }).masters
    const victim = rig.nodes.find(({ port }) => first?.address.endsWith(`:${port}`)) as RedisNode
    const masters = await Promise.all(sids.map((sid) => rig.masterOf(`sess:${sid}`)))
    const there = sids[masters.indexOf(victim)] as string
    const elsewhere = sids.filter((_, i) => masters[i] !== victim)
    const ended = await endsTold(rig, victim)
    victim.halt()
    try {
      await store.ping()
      await Promise.all(elsewhere.map((sid) => store.destroy(sid)))
      await until('all ends are told', () => ended.handles.size === elsewhere.length)
      expect(await failureOf(store.get(there))).toMatchObject({ status: 503 })
      await until('it is served by the replica', () => store.exists(there), { timeoutMs: 20_000 })
    } finally {
      victim.resume()
      await ended.stop()
    }
    await rig.healed()
  })

  test('the settings of the page for a node that hangs: a client that asks it first connects all the same', async () => {
    const hung = createServer(() => {}).listen(0, '127.0.0.1')
    await once(hung, 'listening')
    const { port } = hung.address() as AddressInfo
    const [, text = ''] =
      /`createCluster\(\{ defaults: (\{.+\}), \.\.\. \}\)`/.exec(readFileSync('docs/clients.md', 'utf8')) ?? []
    const defaults = new Function('reconnectStrategy', `return ${text}`)(SOCKET.reconnectStrategy) as object
    const rootNodes = [{ host: '127.0.0.1', port }, rig.addresses[0]].map((socket) => ({ socket }))
    // node-redis begins with a random one of them.
    jest.spyOn(Math, 'random').mockReturnValue(0)
    const store = storeOn(connect(library, { rootNodes, defaults: { ...SETTINGS, ...defaults } }))
    jest.restoreAllMocks()
    await until('it is connected', () => store.ping(), { timeoutMs: 30_000 })
    hung.close()
  })
})
