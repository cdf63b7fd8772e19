import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisStore } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import request from 'supertest'
import { DEPLOYMENTS, type Deployment } from '../support/deployments.js'
import { example, examplesOf } from '../support/markdown.js'
import type { RedisNode } from '../support/redis-node.js'
import { ANY_CHANNEL, testSince } from '../support/server.js'
import { until } from '../support/until.js'
import { PAGE, playOn } from './play-runbook.js'

const indexes = { user: (held: { userId?: string }) => held.userId }
let site: Deployment
let dir: string
let client: Redis
let store: RedisStore

const play = (name: string, env: Record<string, string> = {}) => playOn(site, dir, name, env)
const urlOf = ({ port }: RedisNode) => `redis://127.0.0.1:${port}`
const onEach = (...command: string[]) => Promise.all(site.nodes.map((node) => node.send(...command)))
const storeOn = (over: Redis) => new RedisStore({ client: over, indexes, timeout: 5000 } as never) as RedisStore
const goesOn = () => until('the application goes on', () => store.get('one').then(Boolean, () => false))

/** The replica of the master that has the session `one`, and that master. */
async function pair(): Promise<{ master: RedisNode; replica: RedisNode }> {
  for (const master of await site.masters()) {
    if ((await master.send('EXISTS', 'sess:one')) !== ':1') continue
    for (const replica of site.nodes) {
      if ((await replica.field('INFO replication', 'master_port')) === String(master.port)) return { master, replica }
    }
  }
  throw new Error('no master with a replica has the session')
}

async function begin(make: () => Promise<Deployment>): Promise<void> {
  dir = mkdtempSync(join(tmpdir(), 'crh-reader-'))
  site = await make()
  client = site.connect()
  store = storeOn(client)
}

async function finish(): Promise<void> {
  await store.close()
  client.disconnect()
  await site.stop()
  rmSync(dir, { recursive: true, force: true })
}

/** Two sessions of the user 42, and nothing else. */
async function twoSessions(): Promise<void> {
  await site.start()
  await until('all sessions are gone', () => store.clear().then(() => true))
  for (const sid of ['one', 'two']) await store.set(sid, { cookie: {}, userId: '42' } as never)
}

describe.each(Object.entries(DEPLOYMENTS))('%s', (_kind, make) => {
  beforeAll(() => begin(make))
  afterAll(finish)
  beforeEach(twoSessions)

  // Redis before 7.0 does not ask for replicas in scripts.
  testSince(7, 0)('that refuses writes because its replicas are gone: found by doctor, and mended', async () => {
    await onEach('CONFIG', 'SET', 'min-replicas-to-write', '5')
    await expect(store.set('three', { cookie: {} } as never)).rejects.toMatchObject({ code: 'ERR_SESSION_NO_REPLICAS' })
    await play('away')
    await play('refused')
    await store.set('three', { cookie: {} } as never)
  })

  test('that is slow: the steps show what it does', async () => {
    await play('slow')
  })

  test('that is full: sessions can be saved again', async () => {
    await onEach('CONFIG', 'SET', 'maxmemory', '1')
    await expect(store.set('three', { cookie: {} } as never)).rejects.toMatchObject({
      code: 'ERR_SESSION_OUT_OF_MEMORY',
    })
    await play('full')
    await store.set('three', { cookie: {} } as never)
  })

  test('a secret that has leaked: no session is left', async () => {
    await play('end-all')
    expect(await store.length()).toBe(0)
  })

  test('another key of encryption: every session is written with it', async () => {
    const key = () => randomBytes(32).toString('base64')
    await play('migrate-key', { KEYS: `${key()},${key()}` })
    expect(await client.hget('sess:one', 'userId')).toMatch(/^~/)
  })

  test('a user whose account is in other hands: logged out everywhere, and nobody else', async () => {
    await store.set('other', { cookie: {}, userId: '43' } as never)
    await play('end-user')
    expect(await store.ids()).toEqual(['other'])
  })

  test('that is in other hands: their password, connections and sessions are worth nothing', async () => {
    await onEach('ACL', 'SETUSER', 'app', 'on', '>stolen', '~*', ...ANY_CHANNEL, '+@all')
    const login = { username: 'app', password: 'stolen', retryStrategy: () => null }
    const thieves = site.nodes.map(({ port }) => new Redis({ port, ...login }))
    const thrownOut = thieves.map((thief) => new Promise((resolve) => thief.on('error', () => {}).once('end', resolve)))
    await Promise.all(thieves.map((thief) => thief.ping()))
    await play('compromised', { NEW_PASSWORD: 'fresh' })
    await Promise.all(thrownOut)
    for (const thief of thieves) await expect(thief.connect()).rejects.toThrow()
    for (const thief of thieves) thief.disconnect()
    expect(await store.length()).toBe(0)
  })

  test('restored from a backup: what had ended since is back, and ends before anybody is let in', async () => {
    await store.set('stolen', { cookie: {}, userId: 'mallory' } as never)
    await play('backup')
    await store.destroy('stolen')
    await play('restore')
    await until('the client is connected again', () => client.ping())
    expect(await store.length()).toBe(0)
  })

  test('before and after a deploy: looked at', async () => {
    await play('deploy')
  })

  test('a secret that is replaced in the deploys of the page: no visitor is logged out', async () => {
    const deploys = new Function(`${example(PAGE, 'run', 'secrets')};return deploys`)() as string[][]
    const apps = deploys.map(appWith)
    for (const [i, app] of apps.entries()) {
      const next = apps[i + 1]
      if (next === undefined) continue
      // A rolling deploy: processes of two neighbours serve at the same time.
      for (const [from, to] of [
        [app, next],
        [next, app],
      ] as const) {
        const login = await request(from).get('/login')
        const visit = await request(to)
          .get('/')
          .set('Cookie', login.headers['set-cookie'] as unknown as string)
        expect(visit.body).toBe('ada')
      }
    }
  })
})

function appWith(secret: string[]): express.Express {
  const app = express()
  app.use(session({ store, secret, resave: false, saveUninitialized: false, rolling: true }))
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  app.get('/', (req, res) => res.json((req.session as { userId?: string }).userId ?? null))
  return app
}

describe('one Redis', () => {
  beforeAll(() => begin(DEPLOYMENTS['one Redis']))
  afterAll(finish)
  beforeEach(twoSessions)

  test('restarted: visitors go on with their sessions', async () => {
    await play('restart')
    await until('the client is connected again', () => client.ping())
    expect(await store.get('one')).toMatchObject({ userId: '42' })
    expect(await client.pttl('sess:one')).toBeGreaterThan(0)
  })

  // FAILOVER
  testSince(6, 2)('replaced by another one: every session is there, and what had ended stays away', async () => {
    const next = await site.another()
    await store.set('ended', { cookie: {} } as never)
    await store.destroy('ended')
    const [old] = site.nodes as [RedisNode]
    const [NEW_HOST, OLD_HOST] = ['127.0.0.1', '127.0.0.1']
    const env = { NEW_URL: urlOf(next), NEW_HOST, NEW_PORT: `${next.port}`, OLD_HOST, OLD_PORT: `${old.port}` }
    await play('move', env)
    expect(await store.get('one')).toMatchObject({ userId: '42' })
    await expect(store.set('three', { cookie: {} } as never)).rejects.toMatchObject({ code: 'ERR_SESSION_READONLY' })
    const there = new Redis({ port: next.port })
    const moved = storeOn(there)
    expect((await moved.ids()).sort()).toEqual(['one', 'two'])
    expect(await moved.countBy('user' as never, '42')).toBe(2)
    await moved.patch('one', { userId: '42', theme: 'dark' } as never)
    await play('move-end', env)
    await moved.close()
    there.disconnect()
  })
})

describe.each(['Sentinels', 'a Cluster'] as const)('%s', (kind) => {
  beforeAll(() => begin(DEPLOYMENTS[kind]))
  afterAll(finish)
  beforeEach(twoSessions)

  const failOver = (replica: RedisNode) =>
    kind === 'Sentinels' ? play('failover-sentinel') : play('failover-cluster', { REPLICA_URL: urlOf(replica) })
  const hasTakenOver = (replica: RedisNode) =>
    until('the replica has taken over', async () => (await site.masters()).includes(replica))

  test('a sick master is replaced by hand, and what was the master is restarted, while the application goes on', async () => {
    const { master, replica } = await pair()
    await failOver(replica)
    await hasTakenOver(replica)
    await goesOn()
    await play('restart', { OLD_URL: urlOf(master) })
    await goesOn()
  })

  test('a master that is gone is replaced by itself', async () => {
    const { master, replica } = await pair()
    await master.kill()
    await hasTakenOver(replica)
    await goesOn()
  })

  if (kind === 'a Cluster') {
    test('most masters are gone, and nobody agrees: replicas are told to take over, and the application goes on', async () => {
      const lost = (await site.masters()).slice(0, 2)
      const left = site.nodes.filter((node) => !lost.includes(node))
      const ports = lost.map(({ port }) => String(port))
      const replicas: RedisNode[] = []
      for (const node of left) {
        if (ports.includes((await node.field('INFO replication', 'master_port')) ?? '')) replicas.push(node)
      }
      await Promise.all(lost.map((node) => node.kill()))
      await until('the Cluster is down', async () => {
        const states = await Promise.all(left.map((node) => node.field('CLUSTER INFO', 'cluster_state')))
        return states.every((state) => state === 'fail')
      })
      const [first] = replicas as [RedisNode]
      const list = replicas.map(({ port }) => `127.0.0.1:${port}`).join(' ')
      await play('takeover-cluster', { REDIS_URL: urlOf(first), REPLICAS: list })
      await goesOn()
    })
  }

  test('moved to other servers while the application goes on: every session is there', async () => {
    const count = (await site.masters()).length
    const added = await Promise.all(Array.from({ length: count }, () => site.another()))
    const list = added.map(({ port }) => `127.0.0.1:${port}`).join(' ')
    // Visitors come meanwhile: that is how the application hears of the new servers before the old ones are gone.
    const visits = setInterval(() => void store.get('one').catch(() => undefined), 50)
    await (kind === 'Sentinels' ? play('move-sentinel', { NEW: list }) : play('move-cluster', { NEW: list }))
    clearInterval(visits)
    await Promise.all(site.nodes.map((node) => node.kill()))
    await goesOn()
    expect((await store.ids()).sort()).toEqual(['one', 'two'])
    await store.set('three', { cookie: {}, userId: '42' } as never)
    expect(await store.countBy('user' as never, '42')).toBe(3)
  })
})

test('every block of steps is played by a test above', () => {
  const blocks = examplesOf(PAGE).filter(({ kind }) => kind === 'steps')
  expect(blocks.length).toBe((readFileSync(PAGE, 'utf8').match(/```console/g) ?? []).length)
  const source = readFileSync(__filename, 'utf8')
  const played = [...source.matchAll(/play\('([\w-]+)'/g)].map(([, name]) => name)
  const functions = ['servers-cluster', 'servers-sentinel']
  expect([...played, ...played.map((name) => `${name}-each`), ...functions]).toEqual(
    expect.arrayContaining(blocks.map(({ name }) => name)),
  )
})
