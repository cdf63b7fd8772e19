import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { RedisNode } from '../../support/redis-node.js'
import { isRedisSince } from '../../support/server.js'
import type { Fault } from './topology.js'

/** Redis before 6.2 can only pause everything. */
const WRITES_ONLY = isRedisSince(6, 2) ? ['WRITE'] : []

/** A connection of the soak's own. */
export async function asAdmin<T>(node: RedisNode, work: (admin: Redis) => Promise<T>): Promise<T> {
  // Not that it waits until a Redis is ready which it is to make ready.
  const admin = new Redis({ ...node.address, enableReadyCheck: false, retryStrategy: () => 50 })
  admin.on('error', () => {})
  try {
    return await work(admin)
  } finally {
    admin.disconnect()
  }
}

/** What may happen to any master, whoever stands behind it. */
export function faultsOfMasters(masters: () => Promise<RedisNode[]>): Fault[] {
  const each = async (work: (admin: Redis) => Promise<unknown>) => {
    for (const node of await masters()) await asAdmin(node, work)
  }
  const forAWhile = async (
    ms: number,
    begin: (admin: Redis) => Promise<unknown>,
    end: (admin: Redis) => Promise<unknown>,
  ) => {
    await each(begin)
    await sleep(ms)
    await each(end)
  }

  return [
    {
      name: 'SCRIPT FLUSH',
      async run(random) {
        const times = random.between(3, 20)
        for (let i = 0; i < times; i++) {
          await each((admin) => admin.script('FLUSH'))
          await sleep(random.between(5, 60))
        }
        return `${times} times`
      },
    },
    {
      name: 'CLIENT KILL of every connection',
      async run(random) {
        const times = random.between(1, 6)
        for (let i = 0; i < times; i++) {
          await each((admin) => admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
          await sleep(random.between(20, 300))
        }
        return `${times} times`
      },
    },
    {
      name: 'CLIENT PAUSE WRITE',
      async run(random) {
        const ms = random.between(100, 2500)
        await each((admin) => admin.call('CLIENT', 'PAUSE', ms, ...WRITES_ONLY))
        await sleep(ms)
        return `${ms} ms`
      },
    },
    {
      name: 'no memory left (noeviction)',
      async run(random) {
        const ms = random.between(200, 2000)
        const maxmemory = (value: string) => (admin: Redis) => admin.config('SET', 'maxmemory', value)
        await forAWhile(ms, maxmemory('1'), maxmemory('0'))
        return `${ms} ms`
      },
    },
    {
      name: 'a script that does not end (BUSY)',
      async run(random) {
        const ms = random.between(100, 1500)
        const [node] = random.shuffled(await masters())
        const running = asAdmin(node as RedisNode, async (admin) => {
          await admin.config('SET', 'lua-time-limit', '50')
          await admin.eval('while true do end', 0).catch(() => {})
        })
        await sleep(ms)
        await asAdmin(node as RedisNode, (admin) => admin.script('KILL').catch(() => {}))
        await running
        return `${ms} ms`
      },
    },
  ]
}
