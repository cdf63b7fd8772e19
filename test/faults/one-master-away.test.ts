import { once } from 'node:events'
import { join } from 'node:path'
import {
  connectRedis,
  type Middleware,
  RedisStore,
  type RedisStoreOptions,
  type SessionEvents,
} from 'connect-redis-hash'
import { Cluster } from 'ioredis'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { endsTold } from '../support/ends-told.js'
import { expectNoSecrets, failsAtOnce, failureOf } from '../support/failure.js'
import { example } from '../support/markdown.js'
import type { RedisNode } from '../support/redis-node.js'
import { sessionApp } from '../support/session-app.js'
import { traffic } from '../support/traffic.js'
import { until } from '../support/until.js'

// One master of a Cluster is away, and no replica takes its place, as node-timeout is longer than the tests.

const TIMEOUT_MS = 1500

let rig: ClusterRig
let store: RedisStore
let client: Cluster
let emitted: string[]
let unavailable: SessionEvents['unavailable'][]
let lost: RedisNode
/** Ids of sessions on the master that goes away, and of sessions on the others. */
let away: string[]
let there: string[]

const sids = Array.from({ length: 40 }, (_, i) => `hush-${i}`)

beforeAll(async () => {
  rig = await startClusterRig({ nodeTimeoutMs: 60_000 })
})
afterAll(() => rig.stop())
afterEach(async () => {
  for (const node of rig.nodes) if (!node.isServing) node.resume()
  await store.close()
  client.disconnect()
})

async function start(connect: () => Cluster, options: Partial<RedisStoreOptions>): Promise<void> {
  client = connect()
  client.on('error', () => {})
  store = new RedisStore({ client, timeout: TIMEOUT_MS, ...options })
  emitted = []
  unavailable = []
  for (const name of ['disconnect', 'connect', 'unavailable', 'available'] as const)
    store.on(name, () => emitted.push(name))
  store.on('unavailable', (event) => unavailable.push(event))
  await Promise.all(sids.map((sid) => store.set(sid, { value: sid, cookie: {} })))
  lost = (await rig.masterOf('sess:hush-0')) as RedisNode
  const homes = await Promise.all(sids.map((sid) => rig.masterOf(`sess:${sid}`)))
  away = sids.filter((_, i) => homes[i] === lost)
  there = sids.filter((_, i) => homes[i] !== lost)
}

const plain = () => new Cluster(rig.addresses, { clusterRetryStrategy: () => 20 })
const tuned = () => connectRedis(rig.addresses, { redisOptions: { commandTimeout: TIMEOUT_MS } })

describe.each([
  ['connectRedis', tuned],
  ['new Cluster', plain],
])('a master that hangs, over %s', (_name, connect) => {
  test.each(['error', 'anonymous'] as const)(
    'with onUnavailable %s: no request for a session of another master fails, and its own are there again when it goes on',
    async (onUnavailable) => {
      await start(connect, { onUnavailable })
      const app = sessionApp(store)
      lost.halt()
      const healthy = traffic(async (i) => {
        const sid = there[i % there.length] as string
        const { status, body } = await app.visit('/show', sid)
        expect([status, body.value]).toEqual([200, sid])
        expect(await store.patch(sid, { visits: i })).toBe(true)
      }, 5)
      const hung = traffic(async (i) => {
        const { status, headers } = await app.visit('/show', away[i % away.length])
        expect(headers['set-cookie']).toBeUndefined()
        if (status !== 503) throw new Error(`answered ${status}`)
      }, 20)
      await until('its own are left alone', () => failsAtOnce(() => store.get(away[0] as string)))
      await healthy.goesWell(200)
      const [well, ill] = [await healthy.stop(), await hung.stop()]
      expect(well.failures.map(({ error }) => String(error))).toEqual([])
      expect(ill.failures.map(({ error }) => String(error))).toEqual([])
      expect(emitted).toEqual(['unavailable'])
      expect(unavailable).toEqual([
        { code: expect.stringMatching(/^ERR_SESSION_(TIMEOUT|UNAVAILABLE)$/), master: `127.0.0.1:${lost.port}` },
      ])
      expectNoSecrets(unavailable, ['hush-', 'sess:'])
      const back = once(store, 'available')
      lost.resume()
      await back
      expect(emitted).toEqual(['unavailable', 'available'])
      await until('all are there', async () => {
        const found = await Promise.all(sids.map((sid) => store.get(sid).catch(() => null)))
        return found.every((session, i) => (session as { value?: string } | null)?.value === sids[i])
      })
      app.close()
    },
  )

  test('Redis is ready, and other processes hear of every session that ends on the other masters', async () => {
    await start(connect, { broadcast: true })
    const ended = await endsTold(rig, lost)
    try {
      lost.halt()
      for (let i = 0; i < 10; i++) await store.ping()
      for (const sid of there) await store.destroy(sid)
      await until('all are heard of', () => ended.handles.size === there.length)
    } finally {
      await ended.stop()
    }
  })

  test('Redis is ready also if no other master is connected', async () => {
    await start(connect, {})
    const fresh = connect()
    fresh.on('error', () => {})
    const other = new RedisStore({ client: fresh, timeout: TIMEOUT_MS })
    try {
      await once(fresh, 'ready')
      const [first] = fresh.nodes('master').filter(({ status }) => status === 'ready')
      rig.nodes.find(({ port }) => port === first?.options.port)?.halt()
      for (let i = 0; i < 5; i++) await other.ping()
    } finally {
      await other.close()
      fresh.disconnect()
    }
  })
})

test("all masters hang, with onUnavailable 'anonymous': now requests go on without sessions, until one is back", async () => {
  await start(tuned, { onUnavailable: 'anonymous' })
  const app = sessionApp(store)
  const masters = await rig.masters()
  for (const node of rig.nodes) node.halt()
  const gone = once(store, 'disconnect')
  await Promise.all(sids.map((sid) => failureOf(store.get(sid))))
  await gone
  await app.visit('/show', there[0]).expect(200, { hasSession: false, value: null })
  const back = once(store, 'connect')
  for (const node of rig.nodes) node.resume()
  await back
  await until('all are back', () => emitted.at(-1) === 'available')
  expect(emitted.filter((name) => name === 'unavailable')).toHaveLength(1)
  expect(masters).toHaveLength(3)
  app.close()
})

test('a master that is dead, and not replaced yet: no request for a session of another master fails', async () => {
  await start(tuned, { onUnavailable: 'anonymous' })
  await lost.kill()
  const healthy = traffic(async (i) => {
    expect(await store.get(there[i % there.length] as string)).not.toBeNull()
  }, 5)
  await until('its own fail', async () => (await failureOf(store.get(away[0] as string)))?.status === 503)
  await healthy.goesWell(200)
  expect((await healthy.stop()).failures).toEqual([])
  expect(emitted).toEqual(['unavailable'])
  await lost.start()
  await until('it is back', () => emitted.at(-1) === 'available')
})

test('the error handler of the documents lets its visitors pass without a session, and touches nothing of theirs', async () => {
  await start(tuned, { onUnavailable: 'anonymous' })
  const code = example(join('docs', 'operations.md'), 'run', 'one-master')
  const used: Middleware[] = []
  new Function('app', code)({ use: (middleware: Middleware) => used.push(middleware) })
  const app = sessionApp(store, undefined, used)
  lost.halt()
  for (const sid of away) {
    const { body, headers } = await app.visit('/put/hush-other', sid).expect(200)
    expect([body.hasSession, headers['set-cookie']]).toEqual([false, undefined])
  }
  await app.visit('/show', there[0]).expect(200, { hasSession: true, value: there[0] })
  const back = once(store, 'available')
  lost.resume()
  await back
  await until('it answers', () => app.visit('/show', away[0]).then(({ body }) => body.hasSession))
  await app.visit('/show', away[0]).expect(200, { hasSession: true, value: away[0] })
  app.close()
})
