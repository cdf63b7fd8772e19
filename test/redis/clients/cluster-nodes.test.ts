import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { Cluster } from 'ioredis'
import * as iovalkey from 'iovalkey'
import { createCluster } from 'redis'
import * as redis5 from 'redis5'
import { clientOf } from '../../../src/redis/clients/client-of.js'
import { clusterMasters } from '../../../src/redis/cluster-masters.js'
import { slotsBetween } from '../../support/cluster-rig.js'
import { failureOf } from '../../support/failure.js'
import { type NodeRedis, SETTINGS, SOCKET } from '../../support/node-redis.js'
import { freePorts, RedisNode } from '../../support/redis-node.js'
import { until } from '../../support/until.js'

// What clients know of the nodes of a Cluster: not all of them, outdated ones, or addresses that lead nowhere from here.

const PATIENCE_MS = 5000
const LAST_SLOT = 16_383
const HALVES: [number, number][] = [
  [0, 8000],
  [8001, LAST_SLOT],
]
const session = { cookie: { originalMaxAge: 600_000 } } as never

/** How a Cluster of node-redis searches for its nodes. */
interface Searching {
  _slots: { rediscover(): Promise<unknown> }
}

const dir = mkdtempSync(join(tmpdir(), 'crh-nodes-'))
const nodes: RedisNode[] = []
const stores: RedisStore[] = []
const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  for (const end of ends.splice(0)) end()
  for (const node of nodes.splice(0)) await node.kill()
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Starts a Cluster whose masters have these slots, from the first one to the last one. */
async function start(
  slots: (readonly [first: number, last: number])[],
  announced: (port: number) => number = (port) => port,
): Promise<RedisNode[]> {
  const settings = ['--save', '', '--cluster-enabled', 'yes', '--cluster-require-full-coverage', 'no']
  const ports = await freePorts(slots.length)
  const started = ports.map((port) => {
    // A node that has never met another one does not know its own address.
    const address = ['--cluster-announce-ip', '127.0.0.1', '--cluster-announce-bus-port', String(port + 10_000)]
    const args = [...settings, ...address, '--cluster-announce-port', String(announced(port))]
    return new RedisNode(join(dir, String(port)), port, args)
  })
  nodes.push(...started)
  await Promise.all(started.map((node) => node.start()))
  for (const [i, node] of started.entries()) {
    await node.send('CLUSTER', 'ADDSLOTS', ...slotsBetween(...(slots[i] as [number, number])))
    if (i > 0) await node.send('CLUSTER', 'MEET', '127.0.0.1', (started[0] as RedisNode).port)
  }
  const served = slots.reduce((sum, [from, to]) => sum + to - from + 1, 0)
  for (const node of started) {
    await until('it knows all slots', async () => {
      const [state, assigned] = [await node.field('CLUSTER INFO', 'cluster_state'), await assignedAt(node)]
      return state === 'ok' && assigned === served
    })
  }
  return started
}

const assignedAt = async (node: RedisNode) => Number(await node.field('CLUSTER INFO', 'cluster_slots_assigned'))

function storeOn(client: unknown, options: Partial<RedisStoreOptions> = {}): RedisStore {
  const store = new RedisStore({ client, timeout: PATIENCE_MS, ...options } as RedisStoreOptions)
  stores.push(store)
  return store
}

describe.each([
  ['node-redis 6', { createCluster }],
  ['node-redis 5', redis5 as unknown as { createCluster: typeof createCluster }],
])('%s', (_name, library) => {
  function connect({ port }: { port: number }, options: object = {}): NodeRedis {
    const rootNodes = [{ socket: { host: '127.0.0.1', port, ...SOCKET } }]
    const defaults = { ...SETTINGS, socket: SOCKET }
    const client = library.createCluster({ rootNodes, defaults, ...options }) as unknown as NodeRedis
    client.on('error', () => {})
    ends.push(() => client.isOpen && client.destroy())
    return client
  }

  test('a slot that no master serves: its sessions are out of reach, and work as soon as one does', async () => {
    const [node] = (await start([[0, LAST_SLOT]])) as [RedisNode]
    const slot = (await node.send('CLUSTER', 'KEYSLOT', 'sess:hush-0')).slice(1)
    await node.send('CLUSTER', 'DELSLOTS', slot)
    const client = connect(node)
    await client.connect()
    const store = storeOn(client)
    await store.set('hush-1', session)
    expect(await failureOf(store.get('hush-0'))).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
    expect(await store.ids()).toEqual(['hush-1'])
    const rediscover = jest.spyOn((client as unknown as Searching)._slots, 'rediscover')
    await Promise.all(Array.from({ length: 50 }, () => failureOf(store.exists('hush-0'))))
    expect(rediscover.mock.calls.length).toBeLessThan(5)
    await node.send('CLUSTER', 'ADDSLOTS', slot)
    await until('it is served', () => store.set('hush-0', session).then(() => true))
    expect((await store.ids()).sort()).toEqual(['hush-0', 'hush-1'])
  })

  test('after the client is closed, no server that it has not used yet is connected to', async () => {
    const [node] = (await start([[0, LAST_SLOT]])) as [RedisNode]
    const client = connect(node, { minimizeConnections: true })
    await client.connect()
    const adapter = clientOf(client as never, PATIENCE_MS)
    const [server] = adapter.masters()
    client.destroy()
    await expect(server?.ask('ping')).rejects.toThrow('The client is not connected')
    await until('nobody is connected', async () => !/cmd=(?!client)/.test(await node.send('CLIENT', 'LIST')))
  })

  test.each([
    ['an object', (there: Map<string, object>) => Object.fromEntries(there)],
    ['a function', (there: Map<string, object>) => (address: string) => there.get(address)],
  ])(
    'nodeAddressMap, %s, also leads connections of the store to nodes without one of the client',
    async (_map, mapOf) => {
      const announced = (port: number) => port + 30_000
      const masters = await start(HALVES, announced)
      const there = new Map(masters.map(({ port, address }) => [`127.0.0.1:${announced(port)}`, address]))
      const nodeAddressMap = mapOf(there)
      const client = connect(masters[0] as RedisNode, { minimizeConnections: true, nodeAddressMap })
      await client.connect()
      const servers = clientOf(client as never, PATIENCE_MS).masters()
      expect(servers.map(({ address }) => address).sort()).toEqual([...there.keys()].sort())
      const links = servers.map((server) => server.beside())
      ends.push(...links.map((link) => () => link.close()))
      await Promise.all(links.map((link) => link.open()))
      const reached = await Promise.all(links.map(async (link) => String(await link.ask('info', 'server'))))
      for (const [i, { address }] of servers.entries()) {
        expect(reached[i]).toContain(`tcp_port:${there.get(address)?.port}\r`)
      }
    },
  )
})

test('ioredis: a walk goes through all masters of a Cluster in which nobody serves some slots', async () => {
  const [node] = (await start([[0, LAST_SLOT]])) as [RedisNode]
  await node.send('CLUSTER', 'DELSLOTS', 100)
  const client = new Cluster([node.address])
  ends.push(() => client.disconnect())
  const store = storeOn(client)
  await store.set('hush-0', session)
  expect(await store.ids()).toEqual(['hush-0'])
})

test('iovalkey: a walk knows all masters also while the client asks for them, and has just been redirected', async () => {
  const [node] = (await start(HALVES)) as [RedisNode]
  const client = new iovalkey.Cluster([node.address])
  ends.push(() => client.disconnect())
  await client.ping()
  const known = client as unknown as { slots: string[][]; refreshSlotsCache(callback?: () => void): void }
  const [low, high] = [known.slots[0]?.[0], known.slots[LAST_SLOT]?.[0]] as [string, string]
  expect(low).not.toBe(high)
  known.refreshSlotsCache()
  // So does iovalkey itself when a slot has moved: the slots of a range share one list.
  ;(known.slots[0] as string[])[0] = high
  const masters = await clusterMasters(clientOf(client as never, PATIENCE_MS))
  expect(masters.map(({ address }) => address).sort()).toEqual([low, high].sort())
})
