import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { freePorts, RedisNode } from './redis-node.js'
import { isRedisSince } from './server.js'
import { until } from './until.js'

const SLOTS = 16_384
const MASTERS = 3

/** A Cluster of real processes: three masters, each with a replica. */
export interface ClusterRig {
  /** Arguments for `connectRedis(rig.addresses)`. */
  addresses: { host: string; port: number }[]
  nodes: readonly RedisNode[]
  nodeTimeoutMs: number
  /** The node that serves the slot of the key; undefined while no node does. */
  masterOf(key: string): Promise<RedisNode | undefined>
  masters(): Promise<RedisNode[]>
  /** Moves a slot with its keys while the Cluster serves it, as redis-cli does. @returns how many keys it moved */
  migrate(key: string, to: RedisNode, onStep?: () => Promise<unknown>): Promise<number>
  /** Waits until all running nodes report `ok` and the same topology, and each replica has caught up. */
  healed(): Promise<void>
  stop(): Promise<void>
}

export async function startClusterRig({ nodeTimeoutMs = 30_000 } = {}): Promise<ClusterRig> {
  const dir = mkdtempSync(join(tmpdir(), 'crh-cluster-'))
  const ports = await freePorts(2 * MASTERS)
  const args = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0', '--cluster-enabled', 'yes']
  const timeout = ['--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-replica-validity-factor', '0']
  const nodes = ports.map((port, i) => new RedisNode(join(dir, String(i)), port, [...args, ...timeout]))
  const serving = () => nodes.filter(({ isServing }) => isServing)

  const rig: ClusterRig = {
    addresses: nodes.map(({ address }) => address),
    nodes,
    nodeTimeoutMs,
    async masterOf(key) {
      const slot = await slotOf(serving()[0] as RedisNode, key)
      const { found } = await viewOf(serving()[0] as RedisNode)
      const owner = ownerOf(slot, found)
      return nodes.find(({ port }) => port === owner?.port)
    },
    async masters() {
      const { found } = await viewOf(serving()[0] as RedisNode)
      const owners = found.filter(({ ranges }) => ranges.length > 0)
      return owners.map((one) => nodes.find(({ port }) => port === one.port) as RedisNode)
    },
    async migrate(key, to, onStep = async () => {}) {
      const slot = await slotOf(serving()[0] as RedisNode, key)
      const from = await rig.masterOf(key)
      if (from === undefined) throw new Error('nobody serves this slot')
      // The new owner takes an epoch above all that it has heard of. If it has not heard of the one that the old owner
      // got with its own last slot, the others believe the old owner, for ever.
      await until('every node knows the latest epoch', async () => {
        const epochs = await Promise.all(serving().map((node) => node.field('CLUSTER INFO', 'cluster_current_epoch')))
        return new Set(epochs).size === 1
      })
      const { moved, tell } = await moveSlot(slot, from, to, await rig.masters(), onStep)
      // Redis before 7.0 tells replicas with a later heartbeat only. One that does not know yet may undo the move.
      await until('every node knows the new owner', async () => {
        const views = await Promise.all(serving().map(viewOf))
        if (views.every(({ found }) => ownerOf(slot, found)?.port === to.port)) return true
        // What a replica has undone is said again.
        if (!isRedisSince(7, 0)) await tell()
        return false
      })
      return moved
    },
    async healed() {
      await until('all nodes say the Cluster is ok, replicas are in step, and their masters count them', async () => {
        const states = await Promise.all(
          serving().map(async (node) => {
            const isOk = (await node.field('CLUSTER INFO', 'cluster_state')) === 'ok'
            const isReplica = (await node.field('INFO replication', 'role')) === 'slave'
            const isInStep = !isReplica || (await node.field('INFO replication', 'master_link_status')) === 'up'
            return { isReady: isOk && isInStep, isReplica, counted: await countedBy(node), view: await viewOf(node) }
          }),
        )
        const replicas = serving().length - MASTERS
        return (
          states.every(({ isReady, view }) => isReady && view.text === states[0]?.view.text) &&
          states.filter(({ isReplica }) => isReplica).length === replicas &&
          states.reduce((sum, { counted }) => sum + counted, 0) >= replicas
        )
      })
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.kill()))
      rmSync(dir, { recursive: true, force: true })
    },
  }
  try {
    await Promise.all(nodes.map((node) => node.start()))
    await joinAll(nodes)
    await rig.healed()
    return rig
  } catch (err) {
    await rig.stop()
    throw err
  }
}

/** All slots by their numbers, for CLUSTER ADDSLOTS: Redis before 7.0 knows no ranges. */
export function slotsBetween(first = 0, last = SLOTS - 1): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => String(first + i))
}

async function joinAll(nodes: readonly RedisNode[]): Promise<void> {
  const first = nodes[0] as RedisNode
  for (const [i, node] of nodes.entries()) {
    await node.send('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
    if (i < MASTERS) {
      const [from, to] = [Math.ceil((i * SLOTS) / MASTERS), Math.ceil(((i + 1) * SLOTS) / MASTERS) - 1]
      await node.send('CLUSTER', 'ADDSLOTS', ...slotsBetween(from, to))
    }
    if (node !== first) await node.send('CLUSTER', 'MEET', '127.0.0.1', first.port)
  }
  await until('every node knows all others', async () => {
    const known = await Promise.all(nodes.map((node) => node.field('CLUSTER INFO', 'cluster_known_nodes')))
    return known.every((count) => count === String(nodes.length))
  })
  for (const [i, node] of nodes.slice(MASTERS).entries()) {
    const master = await idOf(nodes[i] as RedisNode)
    await until('a replica has its master', async () => (await node.send('CLUSTER', 'REPLICATE', master)) === '+OK')
  }
}

/** @returns how many keys it moved, and what tells every master of the new owner */
async function moveSlot(
  slot: number,
  from: RedisNode,
  to: RedisNode,
  masters: readonly RedisNode[],
  onStep: () => Promise<unknown>,
): Promise<{ moved: number; tell(): Promise<void> }> {
  const [fromId, toId] = [await idOf(from), await idOf(to)]
  const source = new Redis({ ...from.address })
  try {
    await to.send('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
    await from.send('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
    let moved = 0
    for (;;) {
      const keys = (await source.cluster('GETKEYSINSLOT', slot, 1)) as string[]
      if (keys.length === 0) break
      await source.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys)
      moved += keys.length
      await onStep()
    }
    // Tell the new owner first, as the documentation of SETSLOT says. Otherwise the slot would have no owner for a
    // moment.
    const tell = async () => {
      for (const node of [to, from, ...masters.filter((one) => one !== to && one !== from)]) {
        await node.send('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
      }
    }
    await tell()
    return { moved, tell }
  } finally {
    source.disconnect()
  }
}

interface View {
  /** The owners of all slots, in a form that can be compared. */
  text: string
  found: { port: number; ranges: [number, number][] }[]
}

function ownerOf(slot: number, found: View['found']): View['found'][number] | undefined {
  return found.find(({ ranges }) => ranges.some(([from, to]) => from <= slot && slot <= to))
}

/** The owners of all slots according to this node. */
async function viewOf(node: RedisNode): Promise<View> {
  const text = await node.send('CLUSTER', 'NODES')
  const found = text
    .trim()
    .split('\n')
    .map((line) => {
      const [, address = '', flags = '', , , , , , ...slots] = line.trim().split(' ')
      const ranges = slots
        .filter((range) => /^\d/.test(range) && !flags.includes('fail'))
        .map((range) => range.split('-').map(Number))
        .map(([from = 0, to = from]) => [from, to] as [number, number])
      return { port: Number(/:(\d+)@/.exec(address)?.[1]), ranges }
    })
    .sort((a, b) => a.port - b.port)
  return { found, text: JSON.stringify(found) }
}

/** How many replicas a node counts as its own (WAIT). A replica says earlier that it is in step. */
async function countedBy(node: RedisNode): Promise<number> {
  return (await node.send('INFO', 'replication')).match(/^slave\d+:.*state=online/gm)?.length ?? 0
}

async function idOf(node: RedisNode): Promise<string> {
  return node.send('CLUSTER', 'MYID')
}

async function slotOf(node: RedisNode, key: string): Promise<number> {
  return Number((await node.send('CLUSTER', 'KEYSLOT', key)).slice(1))
}

/** A separate client for the test itself, which looks at all keys. */
export async function keysOf(rig: ClusterRig, pattern: string): Promise<string[]> {
  const cluster = new Cluster(rig.addresses)
  cluster.on('error', () => {})
  try {
    await cluster.ping()
    return (await Promise.all(cluster.nodes('master').map((node) => node.keys(pattern)))).flat()
  } finally {
    cluster.disconnect()
  }
}
