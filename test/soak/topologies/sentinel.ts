import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisNode } from '../../support/redis-node.js'
import { startSentinelRig } from '../../support/sentinel-rig.js'
import { until } from '../../support/until.js'
import { asAdmin, faultsOfMasters } from './any.js'
import type { Fault, Topology } from './topology.js'

/** A master, a replica and three Sentinels. */
export async function sentinelTopology(): Promise<Topology> {
  const rig = await startSentinelRig({ downAfterMs: 1000 })
  const masters = async () => [await rig.master()]

  async function replaced(old: RedisNode): Promise<void> {
    await until('the other one is the master', async () => (await rig.master()) !== old, { timeoutMs: 20_000 })
  }
  const failovers: Fault[] = [
    {
      name: 'the master is killed (SIGKILL), and comes back later',
      mayLose: true,
      async run(random) {
        const old = await rig.master()
        await old.kill()
        await replaced(old)
        await sleep(random.between(0, 2000))
        await old.start()
        return undefined
      },
    },
    {
      name: 'the master hangs (SIGSTOP), and goes on later',
      mayLose: true,
      async run(random) {
        const old = await rig.master()
        old.halt()
        await replaced(old)
        await sleep(random.between(0, 2000))
        old.resume()
        return undefined
      },
    },
    {
      name: 'SENTINEL FAILOVER',
      mayLose: true,
      async run() {
        const old = await rig.master()
        await rig.sentinels[0]?.send('SENTINEL', 'FAILOVER', rig.options.name)
        await replaced(old)
        return undefined
      },
    },
    {
      name: 'the master hangs for a moment (SIGSTOP)',
      async run(random) {
        const master = await rig.master()
        const ms = random.between(100, 600)
        master.halt()
        await sleep(ms)
        master.resume()
        return `${ms} ms`
      },
    },
    {
      name: 'a Sentinel is killed, and comes back later',
      async run(random) {
        const sentinel = random.of(rig.sentinels)
        await sentinel.kill()
        await sleep(random.between(200, 2000))
        await sentinel.start()
        return undefined
      },
    },
  ]
  return {
    where: [rig.options],
    faults: [
      ...faultsOfMasters(masters)
        .filter(({ name }) => !name.includes('BUSY'))
        // A Sentinel sends PUBLISH over the connection of its PING. A pause of writes blocks both, so the master seems dead.
        .map((fault) => (fault.name.includes('PAUSE') ? { ...fault, mayLose: true } : fault)),
      ...failovers,
    ],
    masters,
    async inStep() {
      await asAdmin(await rig.master(), async (admin) => {
        await admin.set('soak', 'fence')
        await until('the replica has it', async () => (await admin.wait(1, 1000)) === 1)
      })
    },
    healed: () => until('healed', () => rig.healed().then(() => true), { timeoutMs: 40_000 }),
    stop: () => rig.stop(),
  }
}
