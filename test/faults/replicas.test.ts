import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis, RedisStore, type RedisStoreOptions, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { failureOf } from '../support/failure.js'
import { freePorts, RedisNode } from '../support/redis-node.js'
import { until } from '../support/until.js'
import { Visitor } from '../support/visitor.js'

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any

/** The timeout of stores whose replica does not answer. The test waits for it. */
const TIMEOUT_MS = 1000
/** The timeout of stores whose replica answers, which takes time on a busy machine. */
const PATIENT_MS = 10_000
const NOT_REPLICATED = { code: 'ERR_SESSION_NOT_REPLICATED', status: 503 }
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const indexes = { user: (held: Bag) => held.userId }

describe('a logout that a replica has to confirm', () => {
  const dir = mkdtempSync(join(tmpdir(), 'crh-replicas-'))
  let master: RedisNode
  let replica: RedisNode
  let client: Redis
  const stores: RedisStore[] = []

  const storeWith = (options: Partial<RedisStoreOptions> = {}) => {
    const store = new RedisStore({ client, indexes, replicas: 1, timeout: PATIENT_MS, ...options })
    stores.push(store)
    return store
  }
  const make = (store: RedisStore, sid: string) => store.set(sid, { cookie, userId: 'ada' } as never)
  const counts = () => until('the replica counts', async () => (await client.wait(1, 100)) === 1)
  const onReplica = async (sid: string) => (await replica.send('EXISTS', `sess:${sid}`)) === ':1'

  beforeAll(async () => {
    const [first, second] = (await freePorts(2)) as [number, number]
    const args = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']
    master = new RedisNode(join(dir, 'master'), first, args)
    replica = new RedisNode(join(dir, 'replica'), second, [...args, '--replicaof', '127.0.0.1', String(first)])
    await Promise.all([master.start(), replica.start()])
    await until('the replica is in step', async () => (await replica.field('INFO', 'master_link_status')) === 'up')
    client = connectRedis({ port: first, commandTimeout: PATIENT_MS })
    client.on('error', () => {})
    // A replica that is up does not count yet: the master counts it from its first answer on.
    await counts()
  })
  afterEach(async () => {
    replica.resume()
    for (const store of stores.splice(0)) await store.close()
    await client.flushall()
  })
  afterAll(async () => {
    client.disconnect()
    await Promise.all([master.kill(), replica.kill()])
    rmSync(dir, { recursive: true, force: true })
  })

  test.each<[string, (store: RedisStore) => Promise<unknown>]>([
    ['destroy', (store) => store.destroy('a')],
    ['destroyBy', (store) => store.destroyBy('user', 'ada')],
  ])('%s succeeds only once the replica has no such session any more', async (_name, end) => {
    const store = storeWith()
    let confirmed = 0
    for (let round = 0; round < 50; round++) {
      await make(store, 'a')
      const failure = await failureOf(end(store))
      if (failure === undefined) expect(await onReplica('a')).toBe(false)
      else expect(failure).toMatchObject(NOT_REPLICATED)
      confirmed += failure === undefined ? 1 : 0
    }
    expect(confirmed).toBeGreaterThan(40)
  })

  test.each<[string, (store: RedisStore) => Promise<unknown>]>([
    ['destroy', (store) => store.destroy('a')],
    ['destroyBy', (store) => store.destroyBy('user', 'ada')],
    ['clear', (store) => store.clear()],
  ])('%s with the replica cut off fails within the timeout and says so; nobody else waits', async (_name, end) => {
    const store = storeWith({ timeout: 3_000 })
    await make(storeWith(), 'a')
    await storeWith().set('other', { cookie, userId: 'bob' } as never)
    await until('the replica has it', () => onReplica('a'))
    replica.halt()
    const ending = failureOf(end(store))
    const start = performance.now()
    for (let i = 0; i < 20; i++) await store.exists('other')
    const othersMs = performance.now() - start
    const failure = await ending
    expect(failure).toMatchObject(NOT_REPLICATED)
    expect(failure?.error.message).toBe(
      'the session has ended, but only 0 of 1 replicas have confirmed it: a failover may bring it back',
    )
    expect(failure?.ms).toBeLessThan(4_000)
    expect(othersMs).toBeLessThan(failure?.ms as number)
    expect(await storeWith().get('a')).toBeNull()
  })

  test('a second attempt waits again, although there is nothing left to end', async () => {
    const store = storeWith({ timeout: TIMEOUT_MS })
    const patient = storeWith()
    await make(patient, 'a')
    replica.halt()
    expect(await failureOf(store.destroy('a'))).toMatchObject(NOT_REPLICATED)
    expect(await failureOf(store.destroy('a'))).toMatchObject(NOT_REPLICATED)
    replica.resume()
    await counts()
    await patient.destroy('a')
    expect(await onReplica('a')).toBe(false)
  })

  test('a login whose old id no replica has given up fails, and the old id leads nowhere', async () => {
    const store = storeWith({ timeout: 4000 })
    const app = express()
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }), rotateOnLogin())
    app.get('/login', (req, res) => {
      Object.assign(req.session, { userId: 'ada' })
      res.end()
    })
    app.use((req, res) => {
      Object.assign(req.session, { cart: 'tea' })
      res.end()
    })
    app.use(((err, _req, res, _next) => {
      res.status(err.status).end(err.code)
    }) as express.ErrorRequestHandler)
    const visitor = new Visitor(app)
    await visitor.get('/')
    const old = visitor.sid
    replica.halt()
    const answer = await visitor.get('/login')
    expect([answer.status, answer.text]).toEqual([503, 'ERR_SESSION_NOT_REPLICATED'])
    expect(await store.get(old)).toBeNull()
    replica.resume()
    await counts()
    expect((await visitor.get('/login')).status).toBe(200)
  })

  test('without the option nobody waits for replicas', async () => {
    const store = storeWith({ replicas: 0 })
    await make(store, 'a')
    replica.halt()
    await store.destroy('a')
  })

  test.each([-1, 1.5, '1', null])('%p replicas are a TypeError', (replicas) => {
    expect(() => storeWith({ replicas: replicas as never })).toThrow('"replicas" option must be a whole number')
  })
})

describe('on a Cluster', () => {
  let rig: ClusterRig
  beforeAll(async () => {
    rig = await startClusterRig()
    // A replica that has just joined is counted some seconds before it confirms anything.
    for (const { address } of await rig.masters()) {
      const master = new Redis(address)
      await until('its replica confirms a write', async () => {
        await master.flushall()
        return (await master.wait(1, 1000)) === 1
      })
      master.disconnect()
    }
  })
  afterAll(() => rig.stop())

  test.each([undefined, 'kp:'])(
    'the replica of the master that has the session is waited for; keyPrefix: %s',
    async (keyPrefix) => {
      const client = connectRedis(rig.addresses, {
        redisOptions: { commandTimeout: PATIENT_MS },
        ...(keyPrefix && { keyPrefix }),
      })
      client.on('error', () => {})
      const [patient, impatient] = [PATIENT_MS, TIMEOUT_MS].map(
        (timeout) => new RedisStore({ client, indexes, replicas: 1, timeout }),
      ) as [RedisStore, RedisStore]
      const sids = Array.from({ length: 30 }, (_, i) => `s${i}`)
      const masters = await rig.masters()
      const halted = rig.nodes.filter((node) => !masters.includes(node))[0] as RedisNode
      try {
        const make = (sid: string) => patient.set(sid, { cookie, userId: 'ada' } as never)
        await Promise.all(sids.map(make))
        await Promise.all(sids.map((sid) => patient.destroy(sid)))
        await Promise.all(sids.map(make))
        const portOfMaster = Number(await halted.field('INFO', 'master_port'))
        halted.halt()
        for (const sid of sids) {
          const home = await rig.masterOf(`${keyPrefix ?? ''}sess:${sid}`)
          const isCutOff = home?.port === portOfMaster
          const failure = await failureOf((isCutOff ? impatient : patient).destroy(sid))
          expect([sid, failure?.code]).toEqual([sid, isCutOff ? 'ERR_SESSION_NOT_REPLICATED' : undefined])
        }
      } finally {
        halted.resume()
        await patient.close()
        await impatient.close()
        client.disconnect()
      }
    },
  )
})
