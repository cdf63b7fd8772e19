import { once } from 'node:events'
import { connectRedis, RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { Cluster } from 'ioredis'
import { type ClusterRig, keysOf, startClusterRig } from '../support/cluster-rig.js'
import { expectNoSecrets, failsAtOnce, failureOf } from '../support/failure.js'
import { figure } from '../support/figures.js'
import type { RedisNode } from '../support/redis-node.js'
import { testSince } from '../support/server.js'
import { sessionApp } from '../support/session-app.js'
import { traffic } from '../support/traffic.js'
import { until } from '../support/until.js'
import { waitingIn } from '../support/waiting-in.js'

// A store on a real Cluster of three masters and three replicas: the contract, a master that dies, slots that move.

const NODE_TIMEOUT_MS = 1000
const TIMEOUT_MS = 1000
/** For what is not about time: on a busy machine a node may stand still for a second. */
const PATIENT_MS = 10_000

let rig: ClusterRig
const clients: Cluster[] = []

beforeAll(async () => {
  rig = await startClusterRig({ nodeTimeoutMs: NODE_TIMEOUT_MS })
})
afterEach(async () => {
  for (const client of clients)
    for (const key of client.status === 'ready' ? await keysOf(rig, '*') : []) await client.del(key)
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(() => rig.stop())

function connect(commandTimeout = TIMEOUT_MS): Cluster {
  const client = connectRedis(rig.addresses, { redisOptions: { commandTimeout } })
  client.on('error', () => {})
  clients.push(client)
  return client
}

/** A client of ioredis itself, which sends again what was under way when it has lost a connection. */
function plain(): Cluster {
  const client = new Cluster(rig.addresses)
  client.on('error', () => {})
  clients.push(client)
  return client
}

const storeOn = (client: Cluster, options: Partial<RedisStoreOptions> = {}) =>
  new RedisStore({ client, timeout: TIMEOUT_MS, touchInterval: 0, ...options })

const session = (data: object) => ({ cookie: { originalMaxAge: null }, ...data }) as never

/** Enough ids for every master to have some. */
const sids = Array.from({ length: 60 }, (_, i) => `hush-${i}`)

async function fill(store: RedisStore): Promise<void> {
  await Promise.all(sids.map((sid, i) => store.set(sid, session({ userId: `u${i % 3}`, value: i }))))
}

// It comes first: CLUSTER SLOTS leaves out replicas of a Cluster that has been empty so far.
test('sessions that begin before a client of ioredis itself is connected are kept, though it leaves nodes it began with', async () => {
  const client = plain()
  const store = storeOn(client, { timeout: 30_000 })
  await fill(store)
  expect(await store.length()).toBe(sids.length)
})

test('a session that begins while the client leaves a replica is kept', async () => {
  const client = plain()
  const store = storeOn(client, { timeout: 30_000 })
  await fill(store)
  await until('the client knows the replicas', async () => {
    await new Promise((done) => client.refreshSlotsCache(done))
    return client.nodes('slave').length === 3
  })
  const home = (await rig.masterOf('sess:new')) as RedisNode
  const left = once(client, '-node')
  await home.send('CLIENT', 'PAUSE', '500')
  const saving = store.set('new', session({ value: 1 }))
  await until('it is under way', () => client.nodes('master').some((node) => waitingIn(node) > 0))
  // Nothing that is written goes there.
  client.nodes('slave')[0]?.disconnect()
  await left
  await saving
  expect(await store.exists('new')).toBe(true)
})

test('every master holds some of the sessions, and get, set, touch and destroy find each', async () => {
  const store = storeOn(connect())
  await fill(store)
  for (const master of await rig.masters()) expect(await master.send('DBSIZE')).toMatch(/^:[1-9]/)
  for (const [i, sid] of sids.entries()) {
    const loaded = await store.get(sid)
    expect(loaded).toMatchObject({ value: i })
    await store.touch(sid, loaded as never)
    await store.set(sid, Object.assign(loaded as object, { value: i + 1000 }) as never)
    expect(await store.get(sid)).toMatchObject({ value: i + 1000 })
  }
  await Promise.all(sids.slice(1).map((sid) => store.destroy(sid)))
  expect(await Promise.all(sids.map((sid) => store.exists(sid)))).toEqual(sids.map((_, i) => i === 0))
})

test('ids, length, all, scan and clear cover every master, right after connecting too', async () => {
  await fill(storeOn(connect()))
  expect(await storeOn(connect()).length()).toBe(sids.length)
  const store = storeOn(connect())
  expect((await store.ids()).sort()).toEqual([...sids].sort())
  expect((await store.all()).map(({ id }) => id).sort()).toEqual([...sids].sort())
  const scanned: unknown[] = []
  for await (const { session } of store.scan({ fields: ['userId'] })) scanned.push(session)
  expect(scanned).toHaveLength(sids.length)
  expect(await store.stats()).toMatchObject({ sessions: sids.length })
  await store.clear()
  expect(await keysOf(rig, 'sess:*')).toEqual([])
})

test('findBy, countBy and destroyBy find the sessions of a user on every master, with a lost index too', async () => {
  const client = connect()
  const store = storeOn(client, { indexes: { user: (held) => held.userId as string } })
  await fill(store)
  const own = sids.filter((_, i) => i % 3 === 1)
  expect(await store.countBy('user', 'u1')).toBe(own.length)
  expect(await store.destroyBy('user', 'u1', { except: own[0] as string })).toBe(own.length - 1)
  expect(await store.findBy('user', 'u1')).toHaveLength(1)
  await client.del('idx:sess:user:u2')
  expect(await store.destroyBy('user', 'u2', { thorough: true })).toBe(20)
  expect(await store.length()).toBe(21)
})

test('SCRIPT FLUSH on every master between two requests goes unnoticed', async () => {
  const store = storeOn(connect())
  await store.set('hush-sid', session({ value: 'old' }))
  const app = sessionApp(store)
  await app.visit('/show', 'hush-sid').expect(200)
  for (const master of await rig.masters()) expect(await master.send('SCRIPT', 'FLUSH')).toBe('+OK')
  await app.visit('/put/new', 'hush-sid').expect(200)
  expect(await store.read('hush-sid', ['value'])).toEqual({ value: 'new' })
  app.close()
})

test('regenerate and logout of express-session', async () => {
  const store = storeOn(connect())
  await store.set('hush-sid', session({ value: 'old' }))
  const app = sessionApp(store)
  await app.visit('/show', 'hush-sid').expect(200, { hasSession: true, value: 'old' })
  await app.visit('/login', 'hush-sid').expect(200)
  await app.visit('/show', 'hush-sid').expect(200, { hasSession: true, value: null })
  await store.set('hush-sid', session({ value: 'old' }))
  await app.visit('/logout', 'hush-sid').expect(200)
  expect(await store.exists('hush-sid')).toBe(false)
  app.close()
})

test('what is sent right after it was made waits for the Cluster; without one it fails in time, and later at once', async () => {
  const store = storeOn(connect())
  await Promise.all(sids.map((sid) => store.set(sid, session({ value: 1 }))))

  const copy = clients[0]?.duplicate() as Cluster
  clients.push(copy)
  expect(await copy.exists('sess:hush-0')).toBe(1)

  const nowhere = connectRedis(['redis://127.0.0.1:1'])
  nowhere.on('error', () => {})
  clients.push(nowhere)
  const away = storeOn(nowhere)
  const failures = await Promise.all(sids.map((sid) => failureOf(away.get(sid))))
  for (const failure of failures) {
    expect(failure?.code).toBe('ERR_SESSION_UNAVAILABLE')
    expect(failure?.ms).toBeLessThan(TIMEOUT_MS + 1500)
  }
  await until('it waits no longer', () => failsAtOnce(() => away.get('hush-sid')))
  await until('nothing is kept', () => waitingIn(nowhere) === 0)
})

test('slots that move under load lose no session, fail no request, and bring nothing back that was ended', async () => {
  const client = connect()
  const store = storeOn(client)
  await fill(store)
  const ended: string[] = []
  const counts = new Map<string, number>()
  const moving = sids.slice(0, 25)
  const visiting = traffic(async (i) => {
    const sid = sids[i % sids.length] as string
    const loaded = await store.get(sid)
    expect(loaded).not.toBeNull()
    const count = await store.increment(sid, 'count')
    counts.set(sid, Math.max(counts.get(sid) ?? 0, Number(count)))
    // These sessions begin and end in the very slots that move.
    const shortLived = `hush-short{sess:${sid}}${i}`.replace(/[{}]/g, '-')
    await store.set(shortLived, session({ value: i }))
    await store.destroy(shortLived)
    ended.push(shortLived)
  }, 3)
  await visiting.goesWell()

  let keys = 0
  for (const sid of moving) {
    const from = await rig.masterOf(`sess:${sid}`)
    const to = (await rig.masters()).find((one) => one !== from)
    keys += await rig.migrate(`sess:${sid}`, to as never, () => visiting.goesWell(10))
  }
  await visiting.goesWell()
  const { failures, succeeded, slowestMs } = await visiting.stop()
  figure('cluster slots moving', {
    slots: moving.length,
    keys,
    requests: succeeded,
    failures: failures.length,
    slowestMs,
  })

  expect(keys).toBeGreaterThanOrEqual(moving.length)
  expect(failures.map(({ error }) => String(error))).toEqual([])
  const held = await Promise.all(sids.map((sid) => store.get(sid)))
  expect(held.map((one) => (one as unknown as { count: number }).count)).toEqual(sids.map((sid) => counts.get(sid)))
  expect((await keysOf(rig, 'sess:*')).sort()).toEqual(sids.map((sid) => `sess:${sid}`).sort())
  expect(await Promise.all(ended.slice(-200).map((sid) => store.exists(sid)))).not.toContain(true)
})

test('slots that move while logouts wait for replicas: none fails', async () => {
  const client = connect(PATIENT_MS)
  const indexes = { user: (held: { userId?: string }) => held.userId }
  const store = storeOn(client, { replicas: 1, indexes, timeout: PATIENT_MS } as Partial<RedisStoreOptions>)
  await fill(store)
  await until('replicas confirm', () => store.destroy('hush-nobody').then(() => true))
  const moving = sids.slice(0, 10)
  const visiting = traffic(async (i) => {
    // These sessions begin and end in the very slots that move.
    const sid = moving[i % moving.length] as string
    await store.set(sid, session({ userId: `u${i % 3}` }))
    await store.destroy(sid)
  }, 20)
  await visiting.goesWell()
  for (const sid of moving) {
    const from = await rig.masterOf(`sess:${sid}`)
    const to = (await rig.masters()).find((one) => one !== from)
    await rig.migrate(`sess:${sid}`, to as RedisNode, () => visiting.goesWell(3))
  }
  await visiting.goesWell()
  const { failures } = await visiting.stop()
  expect(failures.map(({ error }) => String(error))).toEqual([])
  await store.close()
})

// Redis before 6.2 cannot pause writes alone.
testSince(6, 2)('a connection lost with a command under way: it fails at once, and is not sent again', async () => {
  const client = connect()
  const store = storeOn(client)
  await store.set('hush-sid', session({ count: 1 }))
  const master = (await rig.masterOf('sess:hush-sid')) as RedisNode
  await master.send('CLIENT', 'PAUSE', 5000, 'WRITE')
  const counting = failureOf(store.increment('hush-sid', 'count'))
  await until('it has come to Redis', async () => /cmd=(eval|evalsha) /.test(await master.send('CLIENT', 'LIST')))
  await master.send('CLIENT', 'KILL', 'TYPE', 'normal')
  const failure = await counting
  expect(failure?.code).toBe('ERR_SESSION_UNAVAILABLE')
  expect(failure?.ms).toBeLessThan(TIMEOUT_MS / 2)
  await master.send('CLIENT', 'UNPAUSE')
  expect(await store.increment('hush-sid', 'count')).toBe(2)
})

test('a walk over all sessions leaves out none while slots move', async () => {
  const store = storeOn(connect(PATIENT_MS), { scanCount: 5, timeout: PATIENT_MS })
  await fill(store)
  const lengths: number[] = []
  let isOver = false
  const walking = (async () => {
    while (!isOver) lengths.push(await store.length())
  })()
  try {
    for (const sid of sids) {
      const from = await rig.masterOf(`sess:${sid}`)
      const others = (await rig.masters()).filter((one) => one !== from)
      await rig.migrate(`sess:${sid}`, others[lengths.length % others.length] as RedisNode)
    }
  } finally {
    isOver = true
    await walking
  }
  expect(lengths.length).toBeGreaterThan(5)
  expect(new Set(lengths)).toEqual(new Set([sids.length]))
})

describe('a master', () => {
  test.each([
    ['is killed', 'kill'],
    ['hangs', 'halt'],
  ] as const)('that %s: requests fail in a bounded window, and no session is lost', async (_name, fault) => {
    await rig.healed()
    const client = connect()
    const store = storeOn(client)
    await fill(store)
    const old = (await rig.masterOf('sess:hush-0')) as RedisNode
    const ended: string[] = []
    const visiting = traffic(async (i) => {
      const sid = sids[i % sids.length] as string
      const loaded = await store.get(sid)
      if (loaded === null) return
      await store.set(sid, Object.assign(loaded, { visits: i }) as never)
      await store.set(`hush-ended-${i}`, session({ value: i }))
      await store.destroy(`hush-ended-${i}`)
      ended.push(`hush-ended-${i}`)
    })
    await visiting.goesWell()
    const start = performance.now()
    await old[fault]()
    const isReplaced = async () => ![old, undefined].includes(await rig.masterOf('sess:hush-0'))
    await until('a replica serves its slots', isReplaced)
    const promoted = performance.now()
    await visiting.goesWell(sids.length)
    const recovery = performance.now() - promoted
    const before = ended.length
    await visiting.goesWell()
    // If the walk left out what the old master had, clear() would not end every session.
    expect(await store.length()).toBeGreaterThanOrEqual(sids.length)
    const outage = await visiting.stop()
    figure(`cluster ${fault} (node-timeout ${NODE_TIMEOUT_MS})`, {
      window: outage.windowMs,
      promotion: promoted - start,
      recovery,
      slowest: outage.slowestMs,
    })
    expect(outage.windowMs).toBeLessThan(15_000)
    expect(outage.slowestMs).toBeLessThan(4 * TIMEOUT_MS + 2000)
    for (const { code, error } of outage.failures) {
      expect(code).toMatch(/^ERR_SESSION_(UNAVAILABLE|TIMEOUT)$/)
      expectNoSecrets(error, ['hush-', 'sess:'])
    }
    if (fault === 'kill') await old.start()
    else old.resume()
    await rig.healed()
    expect(await Promise.all(sids.map((sid) => store.exists(sid)))).not.toContain(false)
    // Only what the new master has confirmed counts; the last confirmations of the old one may be lost with it.
    const afterwards = ended.slice(before)
    expect(afterwards.length).toBeGreaterThan(0)
    expect(await Promise.all(afterwards.map((sid) => store.exists(sid)))).not.toContain(true)
  })

  test('that was replaced while the client was idle: a walk covers the new one, or is an error', async () => {
    await rig.healed()
    const store = storeOn(connect())
    await fill(store)
    const old = (await rig.masterOf('sess:hush-0')) as RedisNode
    await old.kill()
    const isReplaced = async () => ![old, undefined].includes(await rig.masterOf('sess:hush-0'))
    const lengths: (number | undefined)[] = []
    const isDone = async () => {
      if (lengths.at(-1) === sids.length && (await isReplaced())) return true
      const done = await isReplaced()
      lengths.push(await store.length().catch(() => undefined))
      return done && lengths.at(-1) === sids.length
    }
    await until('all are counted', isDone)
    expect([...new Set(lengths)].filter((length) => length !== undefined)).toEqual([sids.length])
    await old.start()
    await rig.healed()
  })
})
