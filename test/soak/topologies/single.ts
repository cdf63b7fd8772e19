import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Link } from '../../support/link.js'
import { freePorts, RedisNode } from '../../support/redis-node.js'
import { ANY_CHANNEL, DEBUG_ARGS } from '../../support/server.js'
import { until } from '../../support/until.js'
import { asAdmin, faultsOfMasters } from './any.js'
import type { Fault, Topology } from './topology.js'

const APP = ['--user', 'app', 'on', '>app-password', '~*', ...ANY_CHANNEL, '+@all']
// Redis writes to the disk what it confirms, so that a crash may lose nothing of it.
const AOF = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', ...DEBUG_ARGS]

/** One Redis with an append-only file, behind a link of its own. */
export async function singleTopology(): Promise<Topology> {
  const dir = mkdtempSync(join(tmpdir(), 'crh-soak-'))
  const [port] = (await freePorts(1)) as [number]
  const node = new RedisNode(join(dir, 'redis'), port, [...AOF, ...APP])
  await node.start()
  const link = new Link(node.address)
  await link.open()
  const masters = async () => [node]
  return {
    where: [{ host: '127.0.0.1', port: link.port, username: 'app', password: 'app-password' }],
    faults: [...faultsOfMasters(masters), ...faultsOfLink(link), ...faultsOfProcess(node), ...refusals(node)],
    masters,
    inStep: async () => {},
    healed: async () => {},
    async stop() {
      await link.close()
      await node.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function faultsOfLink(link: Link): Fault[] {
  return [
    {
      name: 'the link is slow',
      async run(random) {
        const [delay, ms] = [random.of([20, 100, 300, 1200]), random.between(500, 2500)]
        link.slow(delay)
        await sleep(ms)
        link.slow(0)
        return `${delay} ms each way, for ${ms} ms`
      },
    },
    {
      name: 'the link is half-open',
      async run(random) {
        const ms = random.between(300, 4000)
        link.become('silent')
        await sleep(ms)
        link.become('good')
        link.reset()
        return `${ms} ms`
      },
    },
    {
      name: 'the link stalls',
      async run(random) {
        const ms = random.between(200, 3000)
        link.become('stalled')
        await sleep(ms)
        link.become('good')
        return `${ms} ms, then all of it arrives`
      },
    },
    {
      name: 'the link is reset',
      async run(random) {
        const times = random.between(1, 5)
        for (let i = 0; i < times; i++) {
          link.reset()
          await sleep(random.between(20, 300))
        }
        return `${times} times`
      },
    },
    {
      name: 'nothing listens',
      async run(random) {
        const ms = random.between(200, 3000)
        link.become('refusing')
        await sleep(ms)
        link.become('good')
        return `${ms} ms`
      },
    },
  ]
}

function faultsOfProcess(node: RedisNode): Fault[] {
  return [
    {
      name: 'Redis is killed (SIGKILL), and reads its AOF',
      async run(random) {
        const ms = random.between(0, 2000)
        await node.kill()
        await sleep(ms)
        await node.start()
        return `away for ${ms} ms`
      },
    },
    {
      name: 'Redis hangs (SIGSTOP)',
      async run(random) {
        const ms = random.between(200, 4000)
        node.halt()
        await sleep(ms)
        node.resume()
        return `${ms} ms`
      },
    },
    {
      name: 'Redis loads its data (LOADING)',
      async run(random) {
        const ms = random.between(200, 1500)
        await asAdmin(node, async (admin) => {
          const keys = Math.max(1, await admin.dbsize())
          await admin.config('SET', 'loading-process-events-interval-bytes', '1024')
          await admin.config('SET', 'key-load-delay', String(Math.ceil((ms * 1000) / keys)))
          await admin.call('DEBUG', 'RELOAD')
          await admin.config('SET', 'key-load-delay', '0')
        })
        return `about ${ms} ms`
      },
    },
  ]
}

/** Faults in which Redis is there, and refuses. */
function refusals(node: RedisNode): Fault[] {
  type Step = (...args: (string | number)[]) => Promise<unknown>
  const refusal = (name: string, begin: (send: Step) => Promise<unknown>, end: (send: Step) => Promise<unknown>) => ({
    name,
    async run(random: Parameters<Fault['run']>[0]) {
      const ms = random.between(200, 2000)
      const send: Step = (...args) => node.send(...args)
      await begin(send)
      await sleep(ms)
      await end(send)
      return `${ms} ms`
    },
  })
  const config = (name: string, value: string) => (send: Step) => send('CONFIG', 'SET', name, value)
  const forbid = (what: string): Fault =>
    refusal(
      `the ACL forbids ${what}`,
      (send) => send('ACL', 'SETUSER', 'app', `-${what}`),
      (send) => send('ACL', 'SETUSER', 'app', '+@all'),
    )
  const dump = join(node.dir, 'dump.rdb')
  return [
    forbid('hset'),
    forbid('del'),
    forbid('evalsha'),
    forbid('hgetall'),
    forbid('@all'),
    refusal(
      'Redis is a replica (READONLY)',
      (send) => send('REPLICAOF', '127.0.0.1', 1),
      (send) => send('REPLICAOF', 'NO', 'ONE'),
    ),
    refusal(
      'too few replicas (NOREPLICAS)',
      config('min-replicas-to-write', '1'),
      config('min-replicas-to-write', '0'),
    ),
    refusal(
      'the disk is full (MISCONF)',
      async (send) => {
        rmSync(dump, { force: true })
        mkdirSync(dump)
        await config('save', '3600 1')(send)
        await send('BGSAVE')
        await until(
          'a save has failed',
          async () => (await node.field('INFO persistence', 'rdb_last_bgsave_status')) === 'err',
        )
      },
      async (send) => {
        rmdirSync(dump)
        await config('save', '')(send)
      },
    ),
  ]
}
