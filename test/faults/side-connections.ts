import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import type { Cluster, Redis } from 'ioredis'
import { CACHE, isCaching } from '../support/near-cache.js'
import { until } from '../support/until.js'

// Near cache, broadcast and replicas have connections of their own. These have to come back by themselves from
// everything that the application's client comes back from, and the store says while they are away.

type Client = Redis | Cluster
interface Warning {
  code: string
  message: string
  kind?: string
  since?: Date
}

export const KINDS = ['broadcast', 'cache', 'replicas']

/** Names each kind once: on a busy machine a connection may be lost and found more than once. */
export function kindsOf(told: readonly (string | undefined)[]): string[] {
  return [...new Set(told)].filter((kind) => kind !== undefined).sort()
}

/** Whether connections of every kind were down, and all of them are back. */
export function isAllBack(down: readonly (string | undefined)[], up: readonly (string | undefined)[]): boolean {
  return kindsOf(up).length === KINDS.length && up.length === down.length
}
export const cookie = { originalMaxAge: 600_000 }
const opened: { store: RedisStore; client: Client }[] = []
let made = 0

/** Runs after each test. */
export async function closeStores(): Promise<void> {
  for (const { store, client } of opened.splice(0)) {
    await store.close()
    client.disconnect()
  }
}

/** A store with everything that needs a connection of its own; collects what it warns of. */
export function storeOn(
  client: Client,
  options: { [Name in keyof RedisStoreOptions]?: RedisStoreOptions[Name] | undefined } = {},
) {
  client.on('error', () => {})
  const store = new RedisStore({
    client,
    cache: CACHE,
    broadcast: true,
    replicas: 1,
    timeout: 3000,
    ...options,
  } as RedisStoreOptions)
  const warnings: Warning[] = []
  // The warnings of the other stores tell of operations that this test gives up on.
  store.on('warning', (warning: Warning) => {
    if (warning.kind !== undefined) warnings.push(warning)
  })
  opened.push({ store, client })
  const told = (code: string) => warnings.filter((one) => one.code === `side-connection-${code}`).map((one) => one.kind)
  return { store, warnings, down: () => told('down').sort(), up: () => told('up').sort() }
}

/** Expects that near cache, broadcast and replicas do their work; `elsewhere` is a store of another process. */
export async function works(store: RedisStore, client: Client, elsewhere: RedisStore): Promise<void> {
  const cached = async () => {
    await isCaching(store, { client })
    return true
  }
  await until('it is cached', cached, { timeoutMs: 30_000 })
  await until('it hears of what ends elsewhere', async () => {
    const sid = `heard-${made++}`
    const { ended } = store.counters
    await elsewhere.set(sid, { cookie } as never)
    await elsewhere.destroy(sid)
    await sleep(50)
    return store.counters.ended > ended
  })
  await until('a logout is confirmed', async () => {
    const sid = `confirmed-${made++}`
    await store.set(sid, { cookie } as never)
    await store.destroy(sid)
    return true
  })
}
