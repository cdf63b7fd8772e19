import { setTimeout as sleep } from 'node:timers/promises'
import { startClusterRig } from '../../support/cluster-rig.js'
import type { RedisNode } from '../../support/redis-node.js'
import { until } from '../../support/until.js'
import type { Random } from '../random.js'
import { asAdmin, faultsOfMasters } from './any.js'
import type { Fault, Topology } from './topology.js'

/** Three masters with a replica each. */
export async function clusterTopology(): Promise<Topology> {
  const rig = await startClusterRig({ nodeTimeoutMs: 1000 })
  const masters = () => rig.masters()

  async function replaced(old: RedisNode): Promise<void> {
    const isReplaced = async () => {
      const now = await rig.masters()
      return now.length === 3 && !now.includes(old)
    }
    await until('a replica serves its slots', isReplaced, { timeoutMs: 20_000 })
  }
  const anyMaster = async (random: Random) => random.of(await masters())
  const faults: Fault[] = [
    {
      name: 'a master is killed (SIGKILL), and comes back later',
      mayLose: true,
      async run(random) {
        const old = await anyMaster(random)
        await old.kill()
        await replaced(old)
        await sleep(random.between(0, 2000))
        await old.start()
        return undefined
      },
    },
    {
      name: 'a master hangs (SIGSTOP), and goes on later',
      mayLose: true,
      async run(random) {
        const old = await anyMaster(random)
        old.halt()
        await replaced(old)
        await sleep(random.between(0, 2000))
        old.resume()
        return undefined
      },
    },
    {
      name: 'CLUSTER FAILOVER',
      async run(random) {
        const old = await anyMaster(random)
        const replica = await replicaOf(rig.nodes, old)
        await replica.send('CLUSTER', 'FAILOVER')
        await replaced(old)
        return undefined
      },
    },
    {
      name: 'slots move to another node',
      async run(random) {
        let keys = 0
        const slots = random.between(3, 12)
        for (let i = 0; i < slots; i++) {
          const from = await anyMaster(random)
          const key = await asAdmin(from, (admin) => admin.randomkey())
          if (key === null) continue
          const owner = await rig.masterOf(key)
          const to = random.of((await masters()).filter((node) => node !== owner))
          keys += await rig.migrate(key, to, () => sleep(random.between(0, 20)))
        }
        return `${slots} slots with ${keys} keys`
      },
    },
  ]
  return {
    where: [rig.addresses],
    faults: [...faultsOfMasters(masters).filter(({ name }) => !name.includes('BUSY')), ...faults],
    masters,
    async inStep() {
      for (const master of await masters()) {
        await asAdmin(master, async (admin) => {
          const key = (await admin.randomkey()) ?? undefined
          if (key === undefined) return
          // This write changes nothing, but gives the replica something to acknowledge.
          await admin.call('PUBLISH', 'soak', 'fence')
          await until('the replica has it', async () => isInStep(master))
        })
      }
    },
    healed: () => until('healed', () => rig.healed().then(() => true), { timeoutMs: 40_000 }),
    stop: () => rig.stop(),
  }
}

/** Whether the replica has acknowledged what the master had written when this was called. */
async function isInStep(master: RedisNode): Promise<boolean> {
  const now = Number(await master.field('INFO replication', 'master_repl_offset'))
  let acknowledged = 0
  await until('it acknowledges', async () => {
    const line = (await master.field('INFO replication', 'slave0')) ?? ''
    acknowledged = Number(/offset=(\d+)/.exec(line)?.[1])
    return acknowledged >= now
  })
  return acknowledged >= now
}

async function replicaOf(nodes: readonly RedisNode[], master: RedisNode): Promise<RedisNode> {
  for (const node of nodes) {
    if (!node.isServing || node === master) continue
    if ((await node.field('INFO replication', 'master_port')) === String(master.port)) return node
  }
  throw new Error('this master has no replica')
}
