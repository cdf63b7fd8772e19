import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePorts, RedisNode } from './redis-node.js'
import { until } from './until.js'

const NAME = 'mymaster'

/** One master, one replica and three Sentinels, as real processes. */
export interface SentinelRig {
  /** Options for `connectRedis(rig.options)`. */
  options: { sentinels: { host: string; port: number }[]; name: string }
  downAfterMs: number
  /** The current master according to the Sentinels. */
  master(): Promise<RedisNode>
  /** The current replica. */
  replica(): Promise<RedisNode>
  sentinels: readonly RedisNode[]
  /** Waits until there is a master, and a replica that has caught up with it, as at the beginning. */
  healed(): Promise<void>
  stop(): Promise<void>
}

/** @param masterArgs arguments of redis-server for the first master only */
export async function startSentinelRig({
  downAfterMs = 30_000,
  masterArgs = [] as string[],
} = {}): Promise<SentinelRig> {
  const dir = mkdtempSync(join(tmpdir(), 'crh-sentinel-'))
  const [first, second, ...others] = (await freePorts(5)) as [number, number, ...number[]]
  const data = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0', '--repl-timeout', '5']
  const servers = [
    new RedisNode(join(dir, 'a'), first, [...data, ...masterArgs]),
    new RedisNode(join(dir, 'b'), second, [...data, '--replicaof', '127.0.0.1', String(first)]),
  ]
  const sentinels = others.map((port, i) => {
    const config = join(dir, `sentinel-${i}.conf`)
    // A Sentinel rewrites its configuration file, so each one needs its own.
    writeFileSync(config, sentinelConfig(first, downAfterMs))
    return new RedisNode(join(dir, `s${i}`), port, [config, '--sentinel'])
  })
  const all = [...servers, ...sentinels]

  async function master(): Promise<RedisNode> {
    const found = await Promise.any(
      sentinels.map(async (sentinel) => Number(await sentinelField(sentinel, ['get-master-addr-by-name', NAME]))),
    )
    const node = servers.find(({ port }) => port === found)
    if (node === undefined) throw new Error('the Sentinels name no master')
    return node
  }

  const rig: SentinelRig = {
    options: { sentinels: sentinels.map(({ address }) => address), name: NAME },
    downAfterMs,
    master,
    sentinels,
    async replica() {
      const current = await master()
      return servers.find((node) => node !== current) as RedisNode
    },
    async healed() {
      await until('a master that counts a replica in step, known to every Sentinel', async () => {
        const current = await master()
        const other = await rig.replica()
        const states = await Promise.all(
          sentinels.map(async (sentinel) => (await sentinel.field('INFO sentinel', 'master0')) ?? ''),
        )
        return (
          (await other.field('INFO replication', 'master_port')) === String(current.port) &&
          (await other.field('INFO replication', 'master_link_status')) === 'up' &&
          /state=online/.test((await current.field('INFO replication', 'slave0')) ?? '') &&
          states.every(
            (state) => /status=ok,.*:\d+,slaves=1,sentinels=3/.test(state) && state.includes(`:${current.port},`),
          )
        )
      })
    },
    async stop() {
      await Promise.all(all.map((node) => node.kill()))
      rmSync(dir, { recursive: true, force: true })
    },
  }
  try {
    await Promise.all(servers.map((node) => node.start()))
    await Promise.all(sentinels.map((node) => node.start()))
    await rig.healed()
    return rig
  } catch (err) {
    await rig.stop()
    throw err
  }
}

function sentinelConfig(masterPort: number, downAfterMs: number): string {
  return [
    `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} 3000`,
    `sentinel parallel-syncs ${NAME} 1`,
    '',
  ].join('\n')
}

/** The port of `[host, port]`. */
async function sentinelField(sentinel: RedisNode, command: string[]): Promise<string> {
  const client = new Redis({ ...sentinel.address, retryStrategy: () => null, commandTimeout: 1000 })
  client.on('error', () => {})
  try {
    const reply = (await client.call('SENTINEL', ...command)) as string[] | null
    return reply?.[1] ?? ''
  } finally {
    client.disconnect()
  }
}
