import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis, RedisStore } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { expectNoSecrets, failsAtOnce, failureOf } from '../support/failure.js'
import { figure } from '../support/figures.js'
import { type SentinelRig, startSentinelRig } from '../support/sentinel-rig.js'
import { type Outage, traffic } from '../support/traffic.js'
import { until } from '../support/until.js'
import { waitingIn } from '../support/waiting-in.js'

// What requests see while Sentinels replace a master. Replication is asynchronous: a failover may lose the last writes
// that the old master has confirmed, a logout among them. Only what the new master has, and what it confirms itself,
// counts.

const DOWN_AFTER_MS = 1000
const TIMEOUT_MS = 1000
/** A failover on a busy machine takes no longer; the Sentinels wait for `down-after-milliseconds`, and vote. */
const FAILOVER_MS = 10_000

let rig: SentinelRig
const clients: Redis[] = []

beforeAll(async () => {
  rig = await startSentinelRig({ downAfterMs: DOWN_AFTER_MS })
})
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(() => rig.stop())

function connect(): Redis {
  const client = connectRedis(rig.options)
  client.on('error', () => {})
  clients.push(client)
  return client
}

const session = (value: unknown) => ({ value, cookie: { originalMaxAge: null } }) as never

/** Ends every second session, and remembers which of these logouts were confirmed. */
function visits(store: RedisStore) {
  const ended = new Map<string, number>()
  const visiting = traffic(async (i) => {
    const sid = `hush-${i}`
    await store.set(sid, session(i))
    const loaded = await store.get(sid)
    // The session was written to the old master, and is read from the new one.
    if (loaded === null) return
    await store.set(sid, Object.assign(loaded, { visits: i }))
    if (i % 2 === 0) {
      await store.destroy(sid)
      ended.set(sid, performance.now())
    }
  })
  return { visiting, ended }
}

function expectBounded(outage: Outage): void {
  expect(outage.failures.length).toBeGreaterThan(0)
  expect(outage.windowMs).toBeLessThan(FAILOVER_MS)
  // Each request does four operations, each with its own deadline.
  expect(outage.slowestMs).toBeLessThan(4 * TIMEOUT_MS + 2000)
  for (const { code, status, error } of outage.failures) {
    expect(code).toMatch(/^ERR_SESSION_(UNAVAILABLE|TIMEOUT|READONLY)$/)
    expect(status).toBe(503)
    expectNoSecrets(error, ['hush-', 'sess:'])
  }
}

/** Expects that every session has an end, and that everything works on the new master. */
async function expectHealthy(client: Redis, store: RedisStore): Promise<void> {
  expect(client.status).toBe('ready')
  await store.set('hush-after', session('new'))
  expect(await store.get('hush-after')).toMatchObject({ value: 'new' })
  const keys = await client.keys('sess:*')
  const ttls = await Promise.all(keys.map((key) => client.pttl(key)))
  expect(ttls.filter((ttl) => ttl === -1)).toEqual([])
  expect(await store.length()).toBe(keys.length)
}

describe.each([
  ['is killed', 'kill'],
  ['hangs', 'halt'],
] as const)('a master that %s', (_name, fault) => {
  test('requests fail in a bounded window, then all is as before, with nothing restarted', async () => {
    await rig.healed()
    const client = connect()
    const store = new RedisStore({ client, timeout: TIMEOUT_MS, touchInterval: 0 })
    const { visiting, ended } = visits(store)
    await visiting.goesWell()
    const [old, next] = [await rig.master(), await rig.replica()]

    const start = performance.now()
    await old[fault]()
    await until('the Sentinels name the other one', async () => (await rig.master()) === next, {
      timeoutMs: FAILOVER_MS,
    })
    const promoted = performance.now()
    await visiting.goesWell(1)
    const recovery = performance.now() - promoted
    await visiting.goesWell()
    const settled = performance.now()
    await until('logouts on the new master', () => [...ended.values()].some((at) => at > settled))
    const outage = await visiting.stop()
    figure(`sentinel ${fault} (down-after ${DOWN_AFTER_MS})`, {
      window: outage.windowMs,
      promotion: promoted - start,
      recovery,
      slowest: outage.slowestMs,
    })

    expectBounded(outage)
    expect(recovery).toBeLessThan(4000)
    await expectHealthy(client, store)
    // The new master has confirmed these. What the old one confirmed in its last moments may be lost with it.
    const afterwards = [...ended].filter(([, at]) => at > settled).map(([sid]) => sid)
    expect(await Promise.all(afterwards.map((sid) => store.get(sid)))).toEqual(afterwards.map(() => null))

    // The old master comes back as a replica: no request notices, and no ended session is back.
    const again = visits(store)
    await again.visiting.goesWell()
    if (fault === 'kill') await old.start()
    else old.resume()
    await rig.healed()
    await again.visiting.goesWell()
    const quiet = await again.visiting.stop()
    expect(quiet.failures.map(({ code }) => code)).toEqual([])
    expect(await Promise.all([...again.ended.keys()].map((sid) => store.get(sid)))).toEqual(
      [...again.ended].map(() => null),
    )
    await store.close()
  })
})

// In this case ioredis's failover detector calls connector.disconnect(), which ioredis alone takes for the end.
test.each([
  ['connectRedis', () => connectRedis(rig.options)],
  ['ioredis itself, under a store', () => new Redis({ ...rig.options, failoverDetector: true })],
])('a client of %s that has quit leaves no connection to the Sentinels', async (_what, make) => {
  const subscribers = async () => {
    const lists = await Promise.all(rig.sentinels.map((sentinel) => sentinel.send('CLIENT', 'LIST')))
    return lists.flatMap((list) => list.split('\n')).filter((line) => line.includes(' sub=1 ')).length
  }
  const before = await subscribers()
  const client = make()
  const store = new RedisStore({ client })
  await until('it listens to the Sentinels', async () => (await subscribers()) > before)
  await store.close()
  await client.quit()
  await until('they are left alone', async () => (await subscribers()) === before)
})

test('Sentinels announce a new master in the moment in which the client asks for one: it connects all the same', async () => {
  await rig.healed()
  const client = connect()
  const ended = new Promise((end) => client.once('end', end))
  await new Promise((connecting) => client.once('connecting', connecting))
  ;(client as unknown as { connector: { disconnect(): void } }).connector.disconnect()
  await ended
  await until('it is connected', () => client.status === 'ready')

  const closed = connect()
  closed.disconnect()
  await new Promise((end) => closed.once('end', end))
  await sleep(150)
  expect(closed.status).toBe('end')
})

test('a Sentinel that hangs, the first in the list: the next one is asked', async () => {
  await rig.healed()
  const [first] = rig.sentinels
  first?.halt()
  try {
    const start = performance.now()
    const store = new RedisStore({ client: connect(), timeout: 5000 })
    await until('it works', () => store.ping().then(() => true))
    figure('sentinel that hangs', { connected: performance.now() - start })
    expect(performance.now() - start).toBeLessThan(4000)
  } finally {
    first?.resume()
  }
})

test('no Sentinel to be reached: fails in time, keeps nothing, and works once there is one', async () => {
  await rig.healed()
  const client = connect()
  const store = new RedisStore({ client, timeout: TIMEOUT_MS })
  await store.ping()
  for (const sentinel of rig.sentinels) await sentinel.kill()
  const other = connect()
  const late = new RedisStore({ client: other, timeout: TIMEOUT_MS })
  // A connection that exists serves on.
  await store.ping()
  const failures = await Promise.all(Array.from({ length: 50 }, () => failureOf(late.get('hush-sid'))))
  for (const failure of failures) {
    expect(failure?.code).toBe('ERR_SESSION_UNAVAILABLE')
    expect(failure?.ms).toBeLessThan(TIMEOUT_MS + 1500)
  }
  await until('it waits no longer', () => failsAtOnce(() => late.get('hush-sid')))
  expect(waitingIn(other)).toBe(0)
  for (const sentinel of rig.sentinels) await sentinel.start()
  const start = performance.now()
  await until('it works', () => late.ping().then(() => true))
  figure('all sentinels back', { recovery: performance.now() - start })
})
