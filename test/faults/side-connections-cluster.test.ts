import { connectRedis, RedisStore } from 'connect-redis-hash'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { failureOf } from '../support/failure.js'
import { isCaching } from '../support/near-cache.js'
import type { RedisNode } from '../support/redis-node.js'
import { ANY_CHANNEL } from '../support/server.js'
import { until } from '../support/until.js'
import { closeStores, cookie, storeOn, works } from './side-connections.js'

/** For what is not about time: on a busy machine a node may stand still for a second. */
const PATIENT_MS = 10_000

afterEach(closeStores)

describe('on a Cluster', () => {
  let rig: ClusterRig
  beforeAll(async () => {
    rig = await startClusterRig()
  })
  afterAll(() => rig.stop())

  const setUser = (nodes: readonly RedisNode[], password: string) =>
    Promise.all(
      nodes.map((node) =>
        node.send('ACL', 'SETUSER', 'app', 'reset', 'on', `>${password}`, '~*', ...ANY_CHANNEL, '+@all'),
      ),
    )
  const killUser = (nodes: readonly RedisNode[]) =>
    Promise.all(nodes.map((node) => node.send('CLIENT', 'KILL', 'USER', 'app')))
  const connect = (options: object = {}) =>
    connectRedis(rig.addresses, { redisOptions: { username: 'app', password: 'one', ...options } })
  const observer = () => storeOn(connectRedis(rig.addresses), { cache: undefined, replicas: 0 }).store

  let password = 'one'
  const credentials = async () => ({ username: 'app', password })

  test.each([
    ['has been told of it', false, () => connect()],
    ['asks for its credentials', true, () => connectRedis(rig.addresses, { credentials })],
  ])('a new password at every node, and a client that %s: all work again', async (_name, asks, connectAs) => {
    await setUser(rig.nodes, 'one')
    password = 'one'
    const client = connectAs()
    const elsewhere = observer()
    const { store, down, up } = storeOn(client)
    await works(store, client, elsewhere)
    await setUser(rig.nodes, 'two')
    password = 'two'
    if (!asks) Object.assign(client.options.redisOptions as object, { password: 'two' })
    await killUser(rig.nodes)
    await works(store, client, elsewhere)
    await until('as many are back as were down', () => down().length > 0 && up().length === down().length)
  })

  test('one master that refuses the password: said, and the sessions of the others are cached and confirmed', async () => {
    await setUser(rig.nodes, 'one')
    const client = connect({ commandTimeout: PATIENT_MS })
    const { store, warnings, down, up } = storeOn(client, { broadcast: false, timeout: PATIENT_MS })
    await isCaching(store, { client })
    const sids = Array.from({ length: 30 }, (_, i) => `s${i}`)
    for (const sid of sids) await store.set(sid, { cookie } as never)
    const home = await rig.masterOf('sess:s0')
    const homes = await Promise.all(sids.map((sid) => rig.masterOf(`sess:${sid}`)))
    const refusing = home as RedisNode
    await setUser([refusing], 'two')
    // The connections of the client stay; those of the store do not.
    const list = await refusing.send('CLIENT', 'LIST')
    const side = list.split('\n').filter((line) => / user=app\b/.test(line) && /cmd=(ping|wait|subscribe) /.test(line))
    for (const line of side) await refusing.send('CLIENT', 'KILL', 'ID', String(/^\D*id=(\d+)/.exec(line)?.[1]))
    await until('it has said that both are down', () => down().length === 2)
    for (const { message } of warnings) expect(message).toContain('refused the user name or password')
    const failures = await Promise.all(sids.map((sid) => failureOf(store.destroy(sid))))
    expect(failures.map((failure) => failure?.code)).toEqual(
      homes.map((one) => (one === refusing ? 'ERR_SESSION_NOT_REPLICATED' : undefined)),
    )
    Object.assign(client.options.redisOptions as object, { password: 'two' })
    await setUser(rig.nodes, 'two')
    await until('it has said that both are back', () => up().length === 2)
    await store.set('s0', { cookie } as never)
    await store.destroy('s0')
    await isCaching(store, { client })
  })

  test('a slot that moves while sessions in it end: each logout is confirmed by whoever answers for it', async () => {
    await setUser(rig.nodes, 'one')
    const client = connect({ commandTimeout: PATIENT_MS })
    const { store } = storeOn(client, { cache: undefined, broadcast: false })
    // All ids are in one slot, so more keys have to be moved.
    const sids = Array.from({ length: 20 }, (_, i) => `m${i}`)
    const tagged = new RedisStore({ client, prefix: '{moving}sess:', replicas: 1, timeout: PATIENT_MS })
    try {
      for (const sid of sids) await tagged.set(sid, { cookie } as never)
      const from = await rig.masterOf('{moving}')
      const to = (await rig.masters()).find((node) => node !== from) as RedisNode
      const failures: unknown[] = []
      await rig.migrate('{moving}', to, async () => {
        const sid = sids.pop()
        if (sid !== undefined) failures.push(await failureOf(tagged.destroy(sid)))
      })
      for (const sid of sids) failures.push(await failureOf(tagged.destroy(sid)))
      expect(failures.filter(Boolean)).toEqual([])
      expect(failures.length).toBe(20)
      await store.ping()
    } finally {
      await tagged.close()
    }
    await rig.healed()
  })
})
