import { mkdtempSync, rmSync } from 'node:fs'
import type { NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis, RedisStore } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { failureOf } from '../support/failure.js'
import { Link } from '../support/link.js'
import { socketPath } from '../support/redis.js'
import { freePorts, RedisNode } from '../support/redis-node.js'
import { ANY_CHANNEL } from '../support/server.js'
import { unlessStalled } from '../support/unless-stalled.js'
import { until } from '../support/until.js'
import { closeStores, cookie, KINDS, storeOn, works } from './side-connections.js'

afterEach(closeStores)

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
    replica = new RedisNode(join(dir, 'replica'), second, [...args, '--replicaof', '127.0.0.1', String(first)])
    await Promise.all([master.start(), replica.start()])
    admin = connectRedis({ port })
    admin.on('error', () => {})
    await until('the replica counts', async () => (await admin.wait(1, 100)) === 1)
    elsewhere = new RedisStore({ client: admin, broadcast: true })
  })
  afterAll(async () => {
    await elsewhere.close()
    admin.disconnect()
    await Promise.all([master.kill(), replica.kill()])
    rmSync(dir, { recursive: true, force: true })
  })

  const setUser = (password: string, ...rules: string[]) =>
    admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', `>${password}`, '~*', ...ANY_CHANNEL, '+@all', ...rules)
  const killUser = () => admin.call('CLIENT', 'KILL', 'USER', 'app')
  const connections = async () => String(await admin.client('LIST')).match(/ user=app\b/g)?.length ?? 0
  const options = () => ({ port, username: 'app', password: 'one' })
  let password = 'one'

  const credentials = async () => ({ username: 'app', password })

  /** What happens only where nobody has stood still: connections are given up after a second, and counted. */
  const judged = (attempt: () => Promise<void>, at: NetConnectOpts = { host: '127.0.0.1', port }) =>
    unlessStalled(
      900,
      async () => {
        await closeStores()
        await setUser('one')
        await attempt()
      },
      at,
    )

  test.each<[string, boolean, () => Redis]>([
    ['of connectRedis that has been told of it', false, () => connectRedis(options())],
    ['of connectRedis that asks for its credentials', true, () => connectRedis({ port, credentials })],
    ["of the application's own, of ioredis 6, that has been told of it", false, () => new Redis(options())],
    [
      "of the application's own, of ioredis 5, that has been told of it",
      false,
      () => new Redis5(options()) as unknown as Redis,
    ],
  ])('a new password, and a client %s: all work again, and said so', async (_name, asks, connect) => {
    await judged(async () => {
      password = 'one'
      const client = connect()
      const { store, warnings, down, up } = storeOn(client)
      await works(store, client, elsewhere)
      expect(warnings).toEqual([])
      const before = Date.now()
      await setUser('two')
      password = 'two'
      if (!asks) client.options.password = 'two'
      await killUser()
      await works(store, client, elsewhere)
      await until('it has said that all are back', () => up().length === 3)
      expect([down(), up()]).toEqual([KINDS, KINDS])
      for (const { since } of warnings) {
        expect(since?.getTime()).toBeGreaterThanOrEqual(before)
        expect(since?.getTime()).toBeLessThanOrEqual(Date.now())
      }
    })
  })

  test('a client that learns of the new password late: said once, tried in vain without a storm, then all work', async () => {
    await judged(async () => {
      const client = connectRedis({ ...options(), lazyConnect: true })
      const { store, warnings, down, up } = storeOn(client)
      await works(store, client, elsewhere)
      await setUser('two')
      // The client itself stays connected: it has logged in before.
      const id = await client.client('ID')
      for (const line of String(await admin.client('LIST')).split('\n')) {
        const other = /^id=(\d+) .* user=app\b/.exec(line)?.[1]
        if (other !== undefined && other !== String(id)) await admin.client('KILL', 'ID', other)
      }
      await until('it has said that all are down', () => down().length === 3)
      const connected = Number(await master.field('INFO stats', 'total_connections_received'))
      await sleep(3000)
      // Three kinds try after 50, 100, 200, 400, 800 and then every 1000 milliseconds at most; the test's look connects
      // too.
      expect(Number(await master.field('INFO stats', 'total_connections_received')) - connected).toBeLessThan(24)
      await store.set('late', { cookie } as never)
      expect(await failureOf(store.destroy('late'))).toMatchObject({
        code: 'ERR_SESSION_NOT_REPLICATED',
        status: 503,
      })
      expect([down(), up()]).toEqual([KINDS, []])
      for (const { message } of warnings) expect(message).toMatch(/ is down: Redis refused the user name or password/)
      client.options.password = 'two'
      await works(store, client, elsewhere)
      await until('it has said that all are back', () => up().length === 3)
      expect(down()).toEqual(KINDS)
    })
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
    await judged(async () => {
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
  })

  test('links that a gateway forgets after 5 idle seconds: after 11 quiet ones all work at once, and nothing was lost', async () => {
    await judged(async () => {
      const target = new Link({ host: '127.0.0.1', port })
      target.forgetIdle(5000)
      await target.open()
      try {
        const client = connectRedis(options())
        const { duplicate } = client
        client.duplicate = ((others: object) => duplicate.call(client, { ...others, port: target.port })) as never
        const { store, down } = storeOn(client)
        await works(store, client, elsewhere)
        await sleep(11_000)
        const { ended } = store.counters
        await elsewhere.set('quiet', { cookie } as never)
        await elsewhere.destroy('quiet')
        await until('it hears of what ends elsewhere', () => store.counters.ended > ended)
        await store.set('quiet', { cookie } as never)
        await store.destroy('quiet')
        expect(down()).toEqual([])
      } finally {
        await target.close()
      }
    })
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
  })

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
    await judged(async () => {
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
  })

  test('a Redis that restarts: each is said to be down once, and back once', async () => {
    await judged(
      async () => {
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
      },
      { path: socketPath() },
    )
  })

  test('a client that the application has closed: nothing is tried, and nothing said; opened again, all work', async () => {
    await judged(async () => {
      const client = connectRedis(options())
      const { store, warnings } = storeOn(client)
      await works(store, client, elsewhere)
      await client.quit()
      await until('no connection is left', async () => (await connections()) === 0)
      const connected = Number(await master.field('INFO stats', 'total_connections_received'))
      await sleep(2500)
      // The test's look connects too.
      expect(Number(await master.field('INFO stats', 'total_connections_received')) - connected).toBe(1)
      expect(warnings).toEqual([])
      await client.connect()
      await works(store, client, elsewhere)
    })
  })

  test('close ends all of them, and nothing is said', async () => {
    await judged(async () => {
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
})
