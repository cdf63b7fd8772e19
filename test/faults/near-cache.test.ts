import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis, RedisStore } from 'connect-redis-hash'
import type { Cluster, Redis } from 'ioredis'
import { LEASE_MS } from '../../src/cache/tracked-node.js'
import { slotOf } from '../../src/redis/cluster-slot.js'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { CACHE, isCaching } from '../support/near-cache.js'
import type { RedisNode } from '../support/redis-node.js'
import { type SentinelRig, startSentinelRig } from '../support/sentinel-rig.js'
import { until } from '../support/until.js'

// A near cache while masters are replaced and slots move: two stores have clients of their own, as in two processes.

const SID = 'the-session'
const KEY = `sess:${SID}`
const stores: { store: RedisStore; client: Redis | Cluster }[] = []

afterEach(async () => {
  for (const { store, client } of stores.splice(0)) {
    await store.close()
    client.disconnect()
  }
})

async function storeOn(client: Redis | Cluster): Promise<RedisStore> {
  client.on('error', () => {})
  const store = new RedisStore({ client, cache: CACHE })
  stores.push({ store, client })
  await until('the store answers', () => store.ping())
  await isCaching(store, { client })
  return store
}

const read = async (store: RedisStore) => (await store.get(SID)) as { n?: number } | null

const begin = (writer: RedisStore, n: number) => writer.set(SID, { cookie: { originalMaxAge: 600_000 }, n } as never)

/** Begins with a session that the second store has in its cache. */
async function cached(writer: RedisStore, reader: RedisStore): Promise<void> {
  await begin(writer, 0)
  await until('it is cached', async () => {
    const before = reader.cacheStats?.hits
    return (await read(reader))?.n === 0 && reader.cacheStats?.hits !== before
  })
}

/**
 * One store writes again and again, and the other one reads, until so many writes have been confirmed. Each read has to
 * find what was confirmed LEASE_MS before it began.
 *
 * @param areLost whether writes that the old master has confirmed may be lost: then only reads from the cache must find
 * them, as the new master cannot know them
 */
async function follow(writer: RedisStore, reader: RedisStore, writes: number, areLost = false): Promise<void> {
  const confirmed: { n: number; at: number }[] = []
  const deadline = performance.now() + 15_000
  const writing = (async () => {
    for (let n = 1; confirmed.length < writes; n++) {
      if (performance.now() > deadline) throw new Error(`only ${confirmed.length} writes`)
      const isWritten = await writer.patch(SID, { n }).catch(() => undefined)
      if (isWritten) confirmed.push({ n, at: performance.now() })
      // The new master may never have heard of it.
      if (isWritten === false) await begin(writer, n).catch(() => undefined)
      await sleep(20)
    }
  })()
  let isOver = false
  void writing.finally(() => {
    isOver = true
  })
  while (!isOver) {
    const startedAt = performance.now()
    const hits = reader.cacheStats?.hits
    const found = await read(reader).catch(() => undefined)
    const isJudged = found !== undefined && (!areLost || reader.cacheStats?.hits !== hits)
    const due = confirmed.findLast(({ at }) => at + LEASE_MS <= startedAt)
    if (isJudged && due !== undefined) expect(found?.n).toBeGreaterThanOrEqual(due.n)
    await sleep(1)
  }
  await writing
}

/** Expects that a session which one store ends has ended for the other one too. */
async function ends(writer: RedisStore, reader: RedisStore): Promise<void> {
  await writer.destroy(SID)
  await sleep(LEASE_MS)
  expect(await read(reader)).toBeNull()
}

describe('behind Sentinels', () => {
  let rig: SentinelRig
  beforeAll(async () => {
    rig = await startSentinelRig({ downAfterMs: 1000 })
  })
  afterAll(() => rig.stop())

  test('a master that hangs: nothing older than LEASE_MS is served, and the new one is followed', async () => {
    const writer = await storeOn(connectRedis(rig.options))
    const reader = await storeOn(connectRedis(rig.options))
    await cached(writer, reader)
    await rig.healed()
    const master = await rig.master()
    master.halt()
    await follow(writer, reader, 60)
    for (const { store, client } of stores) await isCaching(store, { client })
    await ends(writer, reader)
    master.resume()
    await rig.healed()
  })

  test('a master that is replaced while it is well', async () => {
    const writer = await storeOn(connectRedis(rig.options))
    const reader = await storeOn(connectRedis(rig.options))
    await cached(writer, reader)
    const [sentinel] = rig.sentinels
    const master = await rig.master()
    await until('the failover begins', async () => (await sentinel?.send('SENTINEL', 'FAILOVER', 'mymaster')) === '+OK')
    await until('there is a new master', async () => (await rig.master()) !== master)
    // Until its clients have noticed, the old master still takes writes.
    await follow(writer, reader, 60, true)
    for (const { store, client } of stores) await isCaching(store, { client })
    await ends(writer, reader)
    await rig.healed()
  })
})

describe('on a Cluster', () => {
  let rig: ClusterRig
  beforeAll(async () => {
    rig = await startClusterRig({ nodeTimeoutMs: 1000 })
  })
  afterAll(() => rig.stop())

  test('slots are counted as Redis counts them', async () => {
    for (const key of ['', 'a', KEY, '{user}:x', 'x{user}y', '{}x', '{', 'x{}{user}', 'é∆', 'sess:{a}{b}']) {
      expect(`:${slotOf(key)}`).toBe(await (rig.nodes[0] as RedisNode).send('CLUSTER', 'KEYSLOT', key))
    }
  })

  test('a session whose slot moves to another master and back is followed, and cached at either', async () => {
    const writer = await storeOn(connectRedis(rig.addresses))
    const reader = await storeOn(connectRedis(rig.addresses))
    for (let round = 0; round < 2; round++) {
      await cached(writer, reader)
      const from = await rig.masterOf(KEY)
      const to = (await rig.masters()).find((node) => node !== from) as RedisNode
      const moving = rig.migrate(KEY, to)
      await follow(writer, reader, 60)
      await moving
      expect(await rig.masterOf(KEY)).toBe(to)
      await cached(writer, reader)
      await ends(writer, reader)
    }
    await rig.healed()
  })

  test.each([
    ['is killed', (node: RedisNode) => node.kill(), (node: RedisNode) => node.start()],
    ['hangs', (node: RedisNode) => node.halt(), (node: RedisNode) => node.resume()],
  ])(
    'a master that %s: nothing older than LEASE_MS is served, and the new one is followed',
    async (_what, end, restore) => {
      const writer = await storeOn(connectRedis(rig.addresses))
      const reader = await storeOn(connectRedis(rig.addresses))
      await cached(writer, reader)
      await rig.healed()
      const master = (await rig.masterOf(KEY)) as RedisNode
      await end(master)
      await follow(writer, reader, 60)
      await until('both cache again', async () => {
        for (const { store, client } of stores) await isCaching(store, { client })
        return true
      })
      await ends(writer, reader)
      await restore(master)
      await rig.healed()
    },
  )

  test('a master that is cut off from all others is not believed any more, once it has noticed', async () => {
    const writer = await storeOn(connectRedis(rig.addresses))
    const reader = await storeOn(connectRedis(rig.addresses))
    await cached(writer, reader)
    const master = (await rig.masterOf(KEY)) as RedisNode
    // Long enough that the session is cached anew after the connections to the other masters have been lost.
    await master.send('CONFIG', 'SET', 'cluster-node-timeout', 5000)
    const others = rig.nodes.filter((node) => node !== master)
    for (const node of others) node.halt()
    const served = async () => (await read(reader).catch(() => null)) !== null
    try {
      await sleep(3000)
      expect(await served()).toBe(true)
      await until('the session is not served any more', async () => !(await served()))
      expect(await master.send('PING')).toBe('+PONG')
    } finally {
      for (const node of others) node.resume()
      await master.send('CONFIG', 'SET', 'cluster-node-timeout', rig.nodeTimeoutMs)
    }
    await rig.healed()
  })
})
