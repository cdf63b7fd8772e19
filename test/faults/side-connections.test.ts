import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis, RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { type Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { failureOf } from '../support/failure.js'
import { Link } from '../support/link.js'
import { CACHE, isCaching } from '../support/near-cache.js'
import { freePorts, RedisNode } from '../support/redis-node.js'
import { type SentinelRig, startSentinelRig } from '../support/sentinel-rig.js'
import { until } from '../support/until.js'

// What the store has connections of its own for: near cache, broadcast, replicas. They have to come back by themselves from all
// that the application's client comes back from, and the store says while they are away.

type Client = Redis | Cluster
interface Warning {
  code: string
  message: string
  kind?: string
  since?: Date
}

const KINDS = ['broadcast', 'cache', 'replicas']
const cookie = { originalMaxAge: 600_000 }
const opened: { store: RedisStore; client: Client }[] = []
let made = 0

afterEach(async () => {
  for (const { store, client } of opened.splice(0)) {
    await store.close()
    client.disconnect()
  }
})

/** A store with everything that needs a connection of its own, and what it warns of. */
function storeOn(
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
  // Of the others, those tell of operations that this test gives up on.
  store.on('warning', (warning: Warning) => {
    if (warning.kind !== undefined) warnings.push(warning)
  })
  opened.push({ store, client })
  const told = (code: string) => warnings.filter((one) => one.code === `side-connection-${code}`).map((one) => one.kind)
  return { store, warnings, down: () => told('down').sort(), up: () => told('up').sort() }
}

/** Near cache, broadcast and replicas all do what they are there for; `elsewhere` is a store of another process. */
async function works(store: RedisStore, client: Client, elsewhere: RedisStore): Promise<void> {
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

describe('one Redis with a replica', () => {
  const dir = mkdtempSync(join(tmpdir(), 'crh-side-'))
  let master: RedisNode
  let replica: RedisNode
  let port: number
  let admin: Redis
  let elsewhere: RedisStore

  beforeAll(async () => {
    const [first, second] = (await freePorts(2)) as [number, number]
    const args = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']
    port = first
    master = new RedisNode(join(dir, 'master'), first, args)
    replica = new RedisNode(join(dir, 'replica'), second, [...args, '--replicaof', `127.0.0.1 ${first}`])
    await Promise.all([master.start(), replica.start()])
    admin = connectRedis({ port })
    admin.on('error', () => {})
    await until('the replica counts', async () => (await admin.wait(1, 100)) === 1)
    elsewhere = new RedisStore({ client: admin, broadcast: true })
  }, 30_000)
  afterAll(async () => {
    await elsewhere.close()
    admin.disconnect()
    await Promise.all([master.kill(), replica.kill()])
    rmSync(dir, { recursive: true, force: true })
  })

  const setUser = (password: string, ...rules: string[]) =>
    admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', `>${password}`, '~*', '&*', '+@all', ...rules)
  const killUser = () => admin.call('CLIENT', 'KILL', 'USER', 'app')
  const connections = async () => String(await admin.client('LIST')).match(/ user=app /g)?.length ?? 0
  const options = () => ({ port, username: 'app', password: 'one' })

  test.each<[string, () => Redis]>([
    ['of connectRedis', () => connectRedis(options())],
    ["of the application's own, of ioredis 6", () => new Redis(options())],
    ["of the application's own, of ioredis 5", () => new Redis5(options()) as unknown as Redis],
  ])(
    'a new password, and a client %s that has been told of it: all work again, and said so',
    async (_name, connect) => {
      await setUser('one')
      const client = connect()
      const { store, warnings, down, up } = storeOn(client)
      await works(store, client, elsewhere)
      expect(warnings).toEqual([])
      const before = Date.now()
      await setUser('two')
      client.options.password = 'two'
      await killUser()
      await works(store, client, elsewhere)
      await until('it has said that all are back', () => up().length === 3)
      expect([down(), up()]).toEqual([KINDS, KINDS])
      for (const { since } of warnings) {
        expect(since?.getTime()).toBeGreaterThanOrEqual(before)
        expect(since?.getTime()).toBeLessThanOrEqual(Date.now())
      }
    },
  )

  test('a client that learns of the new password late: said once, tried in vain without a storm, then all work', async () => {
    await setUser('one')
    const client = connectRedis({ ...options(), lazyConnect: true })
    const { store, warnings, down, up } = storeOn(client)
    await works(store, client, elsewhere)
    await setUser('two')
    // The client itself stays connected: it has logged in before.
    const id = await client.client('ID')
    for (const line of String(await admin.client('LIST')).split('\n')) {
      const other = /^id=(\d+) .* user=app /.exec(line)?.[1]
      if (other !== undefined && other !== String(id)) await admin.client('KILL', 'ID', other)
    }
    await until('it has said that all are down', () => down().length === 3)
    const connected = Number(await master.field('INFO stats', 'total_connections_received'))
    await sleep(3000)
    // Three kinds, each after 50, 100, 200, 400, 800, 1000 milliseconds at most; what looks at it connects, too.
    expect(Number(await master.field('INFO stats', 'total_connections_received')) - connected).toBeLessThan(24)
    await store.set('late', { cookie } as never)
    expect(await failureOf(store.destroy('late'))).toMatchObject({ code: 'ERR_SESSION_NOT_REPLICATED', status: 503 })
    expect([down(), up()]).toEqual([KINDS, []])
    for (const { message } of warnings) expect(message).toMatch(/ is down: Redis refused the user name or password/)
    client.options.password = 'two'
    await works(store, client, elsewhere)
    await until('it has said that all are back', () => up().length === 3)
    expect(down()).toEqual(KINDS)
  })

  test('a user that is deleted, and made again: all work again', async () => {
    await setUser('one')
    const client = connectRedis(options())
    const { store, down, up } = storeOn(client)
    await works(store, client, elsewhere)
    await admin.call('ACL', 'DELUSER', 'app')
    await until('all requests fail', async () => (await failureOf(store.ping())) !== undefined)
    await setUser('one')
    await works(store, client, elsewhere)
    // The cache says nothing of its own connection while the client has none.
    await until('it has said that they are back', () => up().length > 1)
    await until('as often as that they were down', () => up().length === down().length)
  })

  test.each<[string, () => Redis]>([
    ['of connectRedis', () => connectRedis(options())],
    ["of the application's own", () => new Redis(options())],
  ])('links of a client %s that have died in silence: noticed, said, and all work again', async (_name, connect) => {
    await setUser('one')
    const target = new Link({ host: '127.0.0.1', port })
    await target.open()
    try {
      const client = connect()
      const { duplicate } = client
      client.duplicate = ((others: object) => duplicate.call(client, { ...others, port: target.port })) as never
      const { store, down, up } = storeOn(client)
      await works(store, client, elsewhere)
      expect(down()).toEqual([])
      target.become('silent')
      await until('it has said that all are down', () => down().length === 3)
      expect(await store.ping()).toBeGreaterThan(0)
      target.become('good')
      await works(store, client, elsewhere)
      await until('it has said that all are back', () => up().length === 3)
      expect(down()).toEqual(KINDS)
    } finally {
      await target.close()
    }
  })

  test('a logout that waits for a replica for long is no silence', async () => {
    await setUser('one')
    const client = connectRedis({ ...options(), commandTimeout: 12_000 })
    const { store, down } = storeOn(client, { timeout: 12_000, cache: undefined, broadcast: false })
    await store.set('slow', { cookie } as never)
    await until('a logout is confirmed', () => store.destroy('slow').then(() => true))
    replica.halt()
    try {
      await store.set('slow', { cookie } as never)
      expect(await failureOf(store.destroy('slow'))).toMatchObject({ code: 'ERR_SESSION_NOT_REPLICATED' })
    } finally {
      replica.resume()
    }
    expect(down()).toEqual([])
  }, 20_000)

  test('a user that may not subscribe: one warning that says so, without the name of the channel', async () => {
    await setUser('one', '-subscribe')
    const client = connectRedis(options())
    const { store, warnings } = storeOn(client, { cache: undefined, replicas: 0 })
    await until('it has warned', () => warnings.length > 0)
    await store.ping()
    await sleep(1500)
    expect(warnings).toEqual([
      {
        code: 'side-connection-down',
        kind: 'broadcast',
        since: expect.any(Date),
        message: expect.stringMatching(/^the connection of broadcast is down: the Redis user lacks a permission/),
      },
    ])
    expect(warnings[0]?.message).not.toContain('sess:')
  })

  test('a client that cannot be copied any more: said, nothing is thrown, and all work once it can be', async () => {
    await setUser('one')
    const client = connectRedis(options())
    const { store, down, up } = storeOn(client)
    await works(store, client, elsewhere)
    const { duplicate } = client
    client.duplicate = () => {
      throw new TypeError('an option that ioredis does not take')
    }
    await killUser()
    await until('it has said that all are down', () => down().length === 3)
    client.duplicate = duplicate
    await works(store, client, elsewhere)
    await until('it has said that all are back', () => up().length === 3)
  })

  test('a Redis that restarts: each is said to be down once, and back once', async () => {
    await setUser('one')
    const client = connectRedis({ port })
    const { store, down, up } = storeOn(client)
    await works(store, client, elsewhere)
    await master.kill()
    await until('it has said that two are down', () => down().length >= 2)
    await sleep(1000)
    await master.start()
    await until('the replica counts', async () => (await admin.wait(1, 100)) === 1)
    await works(store, client, elsewhere)
    await until('it has said that all are back', () => up().length === down().length)
    expect(new Set(down()).size).toBe(down().length)
  })

  test('a client that the application has closed: nothing is tried, and nothing said; opened again, all work', async () => {
    await setUser('one')
    const client = connectRedis(options())
    const { store, warnings } = storeOn(client)
    await works(store, client, elsewhere)
    await client.quit()
    await until('no connection is left', async () => (await connections()) === 0)
    const connected = Number(await master.field('INFO stats', 'total_connections_received'))
    await sleep(2500)
    // What looks at it connects, too.
    expect(Number(await master.field('INFO stats', 'total_connections_received')) - connected).toBe(1)
    expect(warnings).toEqual([])
    await client.connect()
    await works(store, client, elsewhere)
  })

  test('close ends all of them, and nothing is said', async () => {
    await setUser('one')
    const client = connectRedis(options())
    const { store, warnings } = storeOn(client)
    await works(store, client, elsewhere)
    await store.close()
    await until('only the connection of the client is left', async () => (await connections()) === 1)
    await killUser()
    await until('the client is back', () => client.ping())
    await sleep(1500)
    expect(await connections()).toBe(1)
    expect(warnings).toEqual([])
  })
})

describe('behind Sentinels', () => {
  let rig: SentinelRig
  beforeAll(async () => {
    rig = await startSentinelRig()
  }, 30_000)
  afterAll(() => rig.stop())

  test('a master that is killed: all of them find the new one', async () => {
    const client = connectRedis(rig.options)
    const other = connectRedis(rig.options)
    const elsewhere = storeOn(other, { cache: undefined, replicas: 0 }).store
    const { store, down, up } = storeOn(client)
    await works(store, client, elsewhere)
    const master = await rig.master()
    await master.kill()
    await until('there is a new master', async () => (await rig.master()) !== master)
    await master.start()
    await rig.healed()
    await works(store, client, elsewhere)
    await until('it has said that all are back', () => up().length === 3)
    expect(down()).toEqual(KINDS)
  }, 60_000)
})

describe('on a Cluster', () => {
  let rig: ClusterRig
  beforeAll(async () => {
    rig = await startClusterRig()
  }, 30_000)
  afterAll(() => rig.stop())

  const setUser = (nodes: readonly RedisNode[], password: string) =>
    Promise.all(
      nodes.map((node) => node.send('ACL', 'SETUSER', 'app', 'reset', 'on', `>${password}`, '~*', '&*', '+@all')),
    )
  const killUser = (nodes: readonly RedisNode[]) =>
    Promise.all(nodes.map((node) => node.send('CLIENT', 'KILL', 'USER', 'app')))
  const connect = (password = 'one') => connectRedis(rig.addresses, { redisOptions: { username: 'app', password } })
  const observer = () => storeOn(connectRedis(rig.addresses), { cache: undefined, replicas: 0 }).store

  test('a new password at every node, and a client that has been told of it: all work again', async () => {
    await setUser(rig.nodes, 'one')
    const client = connect()
    const elsewhere = observer()
    const { store, down, up } = storeOn(client)
    await works(store, client, elsewhere)
    await setUser(rig.nodes, 'two')
    Object.assign(client.options.redisOptions as object, { password: 'two' })
    await killUser(rig.nodes)
    await works(store, client, elsewhere)
    await until('as many are back as were down', () => down().length > 0 && up().length === down().length)
  }, 60_000)

  test('one master that refuses the password: said, and the sessions of the others are cached and confirmed', async () => {
    await setUser(rig.nodes, 'one')
    const client = connect()
    const { store, warnings, down, up } = storeOn(client, { broadcast: false, timeout: 500 })
    await isCaching(store, { client })
    const sids = Array.from({ length: 30 }, (_, i) => `s${i}`)
    for (const sid of sids) await store.set(sid, { cookie } as never)
    const home = await rig.masterOf('sess:s0')
    const homes = await Promise.all(sids.map((sid) => rig.masterOf(`sess:${sid}`)))
    const refusing = home as RedisNode
    await setUser([refusing], 'two')
    // What is connected stays connected; the connections of the store do not.
    const list = await refusing.send('CLIENT', 'LIST')
    const side = list.split('\n').filter((line) => / user=app /.test(line) && /cmd=(ping|wait|subscribe) /.test(line))
    for (const line of side) await refusing.send('CLIENT', 'KILL', 'ID', String(/^\D*id=(\d+)/.exec(line)?.[1]))
    await until('it has said that both are down', () => down().length === 2)
    for (const { message } of warnings) expect(message).toContain('refused the user name or password')
    for (const [i, sid] of sids.entries()) {
      const failure = await failureOf(store.destroy(sid))
      expect([sid, failure?.code]).toEqual([sid, homes[i] === refusing ? 'ERR_SESSION_NOT_REPLICATED' : undefined])
    }
    Object.assign(client.options.redisOptions as object, { password: 'two' })
    await setUser(rig.nodes, 'two')
    await until('it has said that both are back', () => up().length === 2)
    await store.set('s0', { cookie } as never)
    await store.destroy('s0')
    await isCaching(store, { client })
  }, 60_000)

  test('a slot that moves while sessions in it end: each logout is confirmed by whoever answers for it', async () => {
    await setUser(rig.nodes, 'one')
    const client = connect()
    const { store } = storeOn(client, { cache: undefined, broadcast: false })
    // All in one slot, which has the more keys to be moved.
    const sids = Array.from({ length: 20 }, (_, i) => `m${i}`)
    const tagged = new RedisStore({ client, prefix: '{moving}sess:', replicas: 1, timeout: 3000 })
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
  }, 60_000)
})
