import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisStore, type RedisStoreOptions, type SessionEvents } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import * as redis5 from 'redis5'
import { clientOf } from '../../src/redis/clients/client-of.js'
import { Keys } from '../../src/redis/keys.js'
import { type Answerer, Replicas } from '../../src/redis/replicas.js'
import { failureOf } from '../support/failure.js'
import { Link } from '../support/link.js'
import { SETTINGS, SOCKET } from '../support/node-redis.js'
import { freePorts, RedisNode } from '../support/redis-node.js'
import { until } from '../support/until.js'

// A client that connects again reaches another server, or the same one after a restart, while the store's own connection
// to the old one, or a walk through it, goes on.

const TIMEOUT_MS = 4000
const COUNT = 300
const session = { cookie: { originalMaxAge: 600_000 } } as never

/** A client of any library: what these tests need of it. */
interface Connected {
  client: RedisStoreOptions['client']
  /** Asks over its only connection. */
  ask(...command: string[]): Promise<unknown>
  end(): void
  /** Whether it makes its first attempt to connect again at once. */
  isHasty: boolean
}

/** @param retryMs returns the milliseconds until the client connects again */
type Connect = (port: number, retryMs?: () => number) => Connected

const viaIoredis: Connect = (port, retryMs = () => 20) => {
  // With a name, it is this very client that stores get.
  const client = new Redis({ port, connectionName: 'of-the-test', retryStrategy: retryMs })
  client.on('error', () => {})
  const ask = (name = '', ...args: string[]) => client.call(name, ...args)
  return { client, ask, end: () => client.disconnect(), isHasty: false }
}

const viaNodeRedis =
  (library: typeof createClient): Connect =>
  (port, retryMs = () => 20) => {
    const socket = { host: '127.0.0.1', port, ...SOCKET, reconnectStrategy: retryMs }
    const client = library({ ...SETTINGS, socket })
    client.on('error', () => {})
    void client.connect().catch(() => undefined)
    const ask = (...command: string[]) => client.sendCommand(command)
    return { client: client as never, ask, end: () => client.destroy(), isHasty: true }
  }

const dir = mkdtempSync(join(tmpdir(), 'crh-other-'))
let line: Link
/** The first one has no replica. */
let first: RedisNode
let second: RedisNode
let replica: RedisNode
const stores: RedisStore[] = []
const ends: (() => void)[] = []

beforeAll(async () => {
  const [one, two, three] = (await freePorts(3)) as [number, number, number]
  const args = ['--save', '', '--repl-diskless-sync-delay', '0', '--appendonly']
  first = new RedisNode(join(dir, 'first'), one, [...args, 'yes'])
  second = new RedisNode(join(dir, 'second'), two, [...args, 'no'])
  replica = new RedisNode(join(dir, 'replica'), three, [...args, 'no', '--replicaof', '127.0.0.1', String(two)])
  await Promise.all([first.start(), second.start(), replica.start()])
  await until('the replica is in step', async () => (await replica.field('INFO', 'master_link_status')) === 'up')
  await until('it counts', async () => (await second.field('INFO replication', 'connected_slaves')) === '1')
})
beforeEach(async () => {
  line = new Link(first.address)
  await line.open()
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  for (const end of ends.splice(0)) end()
  await line.close()
  for (const node of [first, second]) await node.send('FLUSHALL')
})
afterAll(async () => {
  await Promise.all([first, second, replica].map((node) => node.kill()))
  rmSync(dir, { recursive: true, force: true })
})

function storeOn({ client, end }: Connected, options: Partial<RedisStoreOptions> = {}): RedisStore {
  const store = new RedisStore({ client, timeout: TIMEOUT_MS, ...options } as RedisStoreOptions)
  stores.push(store)
  ends.push(end)
  return store
}

/** Replicas on the first server, and the master that has answered there. */
async function replicasOf(connected: Connected): Promise<{ replicas: Replicas; by: Answerer | undefined }> {
  await isAt(first, connected)
  const client = clientOf(connected.client as never, TIMEOUT_MS)
  const health = { down: () => {}, up: () => {}, close: () => {} } as never
  const replicas = new Replicas(client, new Keys('sess:'), 1, TIMEOUT_MS, health)
  replicas.open()
  ends.push(connected.end, () => replicas.close())
  await until('the client says that it is connected', () => replicas.answeredFor('hush')?.connection !== undefined)
  return { replicas, by: replicas.answeredFor('hush') }
}

const isAt = (node: RedisNode, { ask }: Connected) =>
  until(`the client is at ${node.port}`, async () => String(await ask('INFO', 'server')).includes(`:${node.port}\r`))

/** Cuts the client's connection, and no other. The next one leads to the second server. */
async function leadAway(connected: Connected): Promise<void> {
  const id = String(await connected.ask('CLIENT', 'ID'))
  line.leadTo(second.address)
  await first.send('CLIENT', 'KILL', 'ID', id)
  await isAt(second, connected)
}

describe.each<[string, Connect]>([
  ['ioredis', viaIoredis],
  ['node-redis 6', viaNodeRedis(createClient)],
  ['node-redis 5', viaNodeRedis(redis5.createClient as unknown as typeof createClient)],
])('%s', (_name, connect) => {
  test('replicas: a logout waits for those of the server that the client is at now', async () => {
    const connected = connect(line.port)
    await isAt(first, connected)
    const store = storeOn(connected, { replicas: 1, timeout: 1000 })
    await store.set('hush', session)
    expect(await failureOf(store.destroy('hush'))).toMatchObject({ code: 'ERR_SESSION_NOT_REPLICATED' })
    await leadAway(connected)
    // The circuit may be open for a moment after the cut.
    await until('it is written', () => store.set('hush', session).then(() => true))
    await until('the replica has it', async () => (await replica.send('EXISTS', 'sess:hush')) === ':1')
    expect(await failureOf(store.destroy('hush'))).toBeUndefined()
    expect(await replica.send('EXISTS', 'sess:hush')).toBe(':0')
  })

  test('replicas: those of another server than the client is at do not count, and that is said', async () => {
    const connected = connect(line.port)
    await isAt(first, connected)
    line.leadTo(second.address)
    const store = storeOn(connected, { replicas: 1, timeout: 1000 })
    const told: SessionEvents['warning'][] = []
    store.on('warning', (warning) => told.push(warning))
    await store.set('hush', session)
    expect(await failureOf(store.destroy('hush'))).toMatchObject({ code: 'ERR_SESSION_NOT_REPLICATED' })
    const message = expect.stringContaining('it has reached another server than the client')
    await until('it is said', () => told.length > 0)
    expect(told).toEqual([expect.objectContaining({ code: 'side-connection-down', kind: 'replicas', message })])
  })

  test('replicas: what the old server has confirmed does not count at the one that the client is at now', async () => {
    const connected = connect(line.port)
    const { replicas, by } = await replicasOf(connected)
    await leadAway(connected)
    expect(await failureOf(replicas.confirm('hush', by))).toMatchObject({ code: 'ERR_SESSION_NOT_REPLICATED' })
    expect(await failureOf(replicas.confirm('hush', replicas.answeredFor('hush')))).toBeUndefined()
  })

  test('replicas: nor does it if the connection to them is at the new server before the client is', async () => {
    let attempts = 0
    const connected = connect(line.port, () => {
      attempts += 1
      return 3000
    })
    const { replicas, by } = await replicasOf(connected)
    line.leadTo(second.address)
    line.become('refusing')
    await until('the client waits', () => attempts >= (connected.isHasty ? 2 : 1))
    line.become('good')
    expect(await failureOf(replicas.confirm('hush', by))).toMatchObject({ code: 'ERR_SESSION_NOT_REPLICATED' })
  })

  test('broadcast: ends are heard of at the server that the client is at now', async () => {
    const connected = connect(line.port)
    await isAt(first, connected)
    const store = storeOn(connected, { broadcast: true })
    await until('it listens', async () => (await first.send('CLIENT', 'LIST')).includes(' sub=1 '))
    const other = storeOn(connect(second.port), { broadcast: true })
    await leadAway(connected)
    await until('it is heard', async () => {
      await other.set('hush', session)
      await other.destroy('hush')
      return store.counters.ended > 0
    })
  })

  test('broadcast: also if it was back at the old server before the client was at the new one', async () => {
    let attempts = 0
    const connected = connect(line.port, () => {
      attempts += 1
      return 3000
    })
    await isAt(first, connected)
    const store = storeOn(connected, { broadcast: true })
    const listener = async () => /^id=(\d+) .* sub=1 /m.exec(await first.send('CLIENT', 'LIST'))?.[1]
    await until('it listens', listener)
    const before = await listener()
    const other = storeOn(connect(second.port), { broadcast: true })
    line.become('refusing')
    await until('the client waits', () => attempts >= (connected.isHasty ? 2 : 1))
    line.become('good')
    await until('it listens again', async () => ![undefined, before].includes(await listener()))
    line.leadTo(second.address)
    await isAt(second, connected)
    await until('it is heard', async () => {
      await other.set('hush', session)
      await other.destroy('hush')
      return store.counters.ended > 0
    })
  })

  test('a walk in whose midst Redis is restarted fails, as it might leave out sessions; the next one finds all', async () => {
    const connected = connect(line.port)
    const store = storeOn(connected, { scanCount: 10 })
    for (let i = 0; i < COUNT; i++) await store.set(`hush-${i}`, session)
    const walking = store.scan()
    expect((await walking.next()).done).toBe(false)
    // Redis keeps back what it writes while the disk is busy.
    await until('its file is written', async () => (await first.field('INFO persistence', 'aof_buffer_length')) === '0')
    await first.kill()
    await first.start()
    await isAt(first, connected)
    const rest = async () => {
      for await (const _one of walking);
    }
    const failure = await failureOf(rest())
    expect(failure).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
    expect(failure?.error.message).toContain('restarted or replaced in the middle of a walk: begin it again')
    expect(await store.length()).toBe(COUNT)
  })

  test('a walk in whose midst the connection is lost finds all', async () => {
    const connected = connect(line.port)
    const store = storeOn(connected, { scanCount: 10 })
    for (let i = 0; i < COUNT; i++) await store.set(`hush-${i}`, session)
    const found = new Set<string>()
    let isCut = false
    for await (const { info } of store.scan()) {
      found.add(info.handle)
      if (isCut) continue
      await first.send('CLIENT', 'KILL', 'TYPE', 'normal')
      await isAt(first, connected)
      isCut = true
    }
    expect(found.size).toBe(COUNT)
  })
})
