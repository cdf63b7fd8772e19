import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { startClusterRig } from './cluster-rig.js'
import { freePorts, RedisNode } from './redis-node.js'
import { startSentinelRig } from './sentinel-rig.js'

const EMPTY = ['--save', '', '--appendonly', 'no']

/** Redis as the reader of a page may have it. */
export interface Deployment {
  /** The block of the page that says how to reach all servers; undefined: there is one. */
  functions: string | undefined
  /** What the steps of the page expect in the environment. */
  env: Record<string, string>
  nodes: readonly RedisNode[]
  masters(): Promise<RedisNode[]>
  /** A client as an application has it. */
  connect(): Redis
  /** Makes a server that does not belong to it yet, and starts it. */
  another(): Promise<RedisNode>
  /** Starts servers that are down, masters first, and waits until all is well. */
  start(): Promise<void>
  stop(): Promise<void>
}

export const DEPLOYMENTS = { 'one Redis': oneRedis, Sentinels: sentinels, 'a Cluster': cluster } as const

async function oneRedis(): Promise<Deployment> {
  const others = new Others(EMPTY)
  const node = await others.another()
  return {
    functions: undefined,
    env: { REDIS_URL: `redis://127.0.0.1:${node.port}` },
    nodes: [node],
    masters: async () => [node],
    connect: () => quiet(new Redis({ port: node.port, retryStrategy: () => 20 })),
    another: () => others.another(),
    start: () => startAll([node]),
    stop: () => others.stop(),
  }
}

async function sentinels(): Promise<Deployment> {
  const rig = await startSentinelRig({ downAfterMs: 1000 })
  const nodes = [await rig.master(), await rig.replica()]
  const others = new Others(EMPTY)
  const list = rig.options.sentinels.map(({ host, port }) => `${host}:${port}`)
  return {
    functions: 'servers-sentinel',
    env: {
      REDIS_URL: `redis-sentinel://${list.join(',')}/${rig.options.name}`,
      SENTINEL_URL: `redis://${list[0]}`,
      SENTINELS: list.join(' '),
    },
    nodes,
    masters: async () => [await rig.master()],
    connect: () => quiet(connectRedis(rig.options) as Redis),
    another: () => others.another(),
    async start() {
      const first = await rig.master()
      await startAll([first, ...nodes.filter((one) => one !== first)])
      await rig.healed()
    },
    async stop() {
      await rig.stop()
      await others.stop()
    },
  }
}

async function cluster(): Promise<Deployment> {
  const rig = await startClusterRig({ nodeTimeoutMs: 1000 })
  const others = new Others([...EMPTY, '--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'])
  const [first] = rig.addresses
  return {
    functions: 'servers-cluster',
    env: { REDIS_URL: `redis://${first?.host}:${first?.port}` },
    nodes: rig.nodes,
    masters: () => rig.masters(),
    connect: () => quiet(connectRedis(rig.addresses) as never),
    another: () => others.another(),
    async start() {
      await startAll(rig.nodes)
      await rig.healed()
    },
    async stop() {
      await rig.stop()
      await others.stop()
    },
  }
}

/** Servers that a test adds. */
class Others {
  readonly #dir = mkdtempSync(join(tmpdir(), 'crh-runbook-'))
  readonly #args: readonly string[]
  readonly #nodes: RedisNode[] = []

  constructor(args: readonly string[]) {
    this.#args = args
  }

  async another(): Promise<RedisNode> {
    const [port] = (await freePorts(1)) as [number]
    const node = new RedisNode(join(this.#dir, String(port)), port, this.#args)
    this.#nodes.push(node)
    await node.start()
    return node
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()))
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

async function startAll(nodes: readonly RedisNode[]): Promise<void> {
  for (const node of nodes) {
    // A busy server takes connections all the same.
    const why = await node.send('PING').catch((err: NodeJS.ErrnoException) => err.code)
    if (why !== 'ECONNREFUSED') continue
    await node.kill()
    await node.start()
  }
}

function quiet(client: Redis): Redis {
  client.on('error', () => {})
  return client
}
