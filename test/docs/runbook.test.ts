import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis, RedisStore } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import request from 'supertest'
import { childScript } from '../support/child-script.js'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { example, examplesOf } from '../support/markdown.js'
import { freePorts, RedisNode } from '../support/redis-node.js'
import { type SentinelRig, startSentinelRig } from '../support/sentinel-rig.js'
import { ANY_CHANNEL, testSince } from '../support/server.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'
import { until } from '../support/until.js'

const PAGE = join('docs', 'runbook.md')
const main = join(process.cwd(), childScript('src', 'cli', 'main.ts'))
const indexes = { user: (held: { userId?: string }) => held.userId }

let dir: string
let node: RedisNode
let client: Redis
let store: RedisStore

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'crh-runbook-'))
  const [port] = (await freePorts(1)) as [number]
  node = new RedisNode(join(dir, 'data'), port, ['--save', '', '--appendonly', 'no'])
  await node.start()
  client = connectTo(port)
  store = await withSessions(client)
})
afterEach(async () => {
  await store.close()
  client.disconnect()
  await node.kill()
  await shutDown(node.port)
  rmSync(dir, { recursive: true, force: true })
})

function connectTo(port: number): Redis {
  const made = new Redis({ port, retryStrategy: () => 20 })
  made.on('error', () => {})
  return made
}

/** A store with two sessions of the user 42. */
async function withSessions(over: Redis): Promise<RedisStore> {
  const made = new RedisStore({ client: over, indexes } as never) as RedisStore
  for (const sid of ['one', 'two']) await made.set(sid, { cookie: {}, userId: '42' } as never)
  return made
}

/** Ends a server that a step has started. */
async function shutDown(port: number): Promise<void> {
  const one = new Redis({ port, retryStrategy: () => null, lazyConnect: true })
  one.on('error', () => {})
  await one.shutdown('NOSAVE').catch(() => undefined)
  one.disconnect()
}

/** Plays steps of the page as a reader types them, and compares what they print. */
async function play(name: string, env: Record<string, string> = {}): Promise<void> {
  const server = process.env.REDIS_SERVER_BIN ?? 'redis-server'
  const data = join(dir, 'data')
  const start = `'${server}' --port ${node.port} --bind 127.0.0.1 --dir '${data}' --save '' --daemonize yes > /dev/null`
  const given = { REDIS_URL: `redis://127.0.0.1:${node.port}`, ...env }
  const prelude = [
    ...Object.entries(given).map(([key, value]) => `export ${key}='${value}'`),
    `npx() { shift; '${process.execPath}' '${main}' "$@"; }`,
    `systemctl() { ${start}; until redis-cli -u "$REDIS_URL" PING 2> /dev/null | grep -q PONG; do sleep 0.1; done; }`,
  ].join('\n')
  // What a page says of Debian's Redis is elsewhere here.
  const text = example(PAGE, 'steps', name).replaceAll('/var/lib/redis', data)
  const all = steps(text)
  expect(asTyped(all, await typed(all, dir, prelude))).toEqual(asShown(all))
}

describe('one Redis', () => {
  // Redis before 7.0 does not ask for replicas in scripts.
  testSince(7, 0)('that refuses writes because its replicas are gone: found by doctor, and mended', async () => {
    await client.config('SET', 'min-replicas-to-write', '1')
    await expect(store.set('three', { cookie: {} } as never)).rejects.toMatchObject({ code: 'ERR_SESSION_NO_REPLICAS' })
    await play('away')
    await play('refused')
    await store.set('three', { cookie: {} } as never)
  })

  test('that is slow: the steps show what it does', async () => {
    await play('slow')
  })

  test('that is full: sessions can be saved again', async () => {
    await client.config('SET', 'maxmemory', '1')
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

  test('a user whose account is in other hands: logged out everywhere, and nobody else', async () => {
    await store.set('other', { cookie: {}, userId: '43' } as never)
    await play('end-user')
    expect(await store.ids()).toEqual(['other'])
  })

  test('that is in other hands: their password, connections and sessions are worth nothing', async () => {
    await client.call('ACL', 'SETUSER', 'app', 'on', '>stolen', '~*', ...ANY_CHANNEL, '+@all')
    const thief = new Redis({ port: node.port, username: 'app', password: 'stolen', retryStrategy: () => null })
    thief.on('error', () => {})
    await thief.ping()
    const thrownOut = new Promise((resolve) => thief.once('end', resolve))
    await play('compromised', { NEW_PASSWORD: 'fresh' })
    await thrownOut
    await expect(thief.connect()).rejects.toThrow()
    thief.disconnect()
    expect(await store.length()).toBe(0)
  })

  test('restored from a backup: a session that had ended since is back, and ends before anybody is let in', async () => {
    await store.set('stolen', { cookie: {}, userId: 'mallory' } as never)
    await play('backup')
    await store.destroy('stolen')
    await play('restore')
    await until('the client is connected again', () => client.ping())
    expect(await store.length()).toBe(0)
  })

  test('restored from a backup without the last step: the session that had ended is back', async () => {
    await store.set('stolen', { cookie: {}, userId: 'mallory' } as never)
    await play('backup')
    await store.destroy('stolen')
    await node.kill()
    copyFileSync(join(dir, 'sessions.rdb'), join(dir, 'data', 'dump.rdb'))
    await node.start()
    await until('the client is connected again', () => client.ping())
    expect(await store.exists('stolen')).toBe(true)
  })

  // FAILOVER
  testSince(6, 2)('replaced by another one: every session is there, and what had ended stays away', async () => {
    const [port] = (await freePorts(1)) as [number]
    const next = new RedisNode(join(dir, 'next'), port, ['--save', '', '--appendonly', 'no'])
    await next.start()
    await store.set('ended', { cookie: {} } as never)
    await store.destroy('ended')
    const env = {
      NEW_URL: `redis://127.0.0.1:${port}`,
      NEW_HOST: '127.0.0.1',
      NEW_PORT: String(port),
      OLD_HOST: '127.0.0.1',
      OLD_PORT: String(node.port),
    }
    await play('move', env)
    expect(await store.get('one')).toMatchObject({ userId: '42' })
    await expect(store.set('three', { cookie: {} } as never)).rejects.toMatchObject({ code: 'ERR_SESSION_READONLY' })
    const there = connectTo(port)
    const moved = new RedisStore({ client: there, indexes } as never)
    expect((await moved.ids()).sort()).toEqual(['one', 'two'])
    expect(await moved.countBy('user' as never, '42')).toBe(2)
    await moved.patch('one', { userId: '42', theme: 'dark' } as never)
    await play('move-end', env)
    await moved.close()
    there.disconnect()
    await next.kill()
  })

  test('before and after a deploy: looked at', async () => {
    await play('deploy')
  })

  test('restarted: visitors go on with their sessions', async () => {
    await play('restart')
    await until('the client is connected again', () => client.ping())
    expect(await store.get('one')).toMatchObject({ userId: '42' })
    expect(await client.pttl('sess:one')).toBeGreaterThan(0)
  })

  test('another key of encryption: every session is written with it', async () => {
    const key = () => randomBytes(32).toString('base64')
    await play('migrate-key', { KEYS: `${key()},${key()}` })
  })
})

test('a secret that is replaced in the deploys of the page: no visitor is logged out, whichever process serves them', async () => {
  const deploys = new Function(`${example(PAGE, 'run', 'secrets')};return deploys`)() as string[][]
  const apps = deploys.map((secret) => {
    const app = express()
    app.use(session({ store, secret, resave: false, saveUninitialized: false, rolling: true }))
    app.get('/login', (req, res) => {
      Object.assign(req.session, { userId: 'ada' })
      res.end()
    })
    app.get('/', (req, res) => res.json((req.session as { userId?: string }).userId ?? null))
    return app
  })
  for (const [i, app] of apps.entries()) {
    // A rolling deploy: processes of two neighbours serve at the same time.
    for (const [from, to] of [
      [app, apps[i + 1]],
      [apps[i + 1], app],
    ] as const) {
      if (from === undefined || to === undefined) continue
      const login = await request(from).get('/login')
      const visit = await request(to)
        .get('/')
        .set('Cookie', login.headers['set-cookie'] as unknown as string)
      expect(visit.body).toBe('ada')
    }
  }
})

describe('Sentinels', () => {
  let rig: SentinelRig

  beforeAll(async () => {
    rig = await startSentinelRig()
  })
  afterAll(() => rig.stop())

  test('sessions end as on one Redis, and a sick master is replaced while the application goes on', async () => {
    const over = connectRedis(rig.options)
    over.on('error', () => {})
    const own = await withSessions(over as Redis)
    const list = rig.options.sentinels.map(({ host, port }) => `${host}:${port}`).join(',')
    const url = `redis-sentinel://${list}/${rig.options.name}`
    await play('end-user', { REDIS_URL: url })
    for (const sid of ['one', 'two']) await own.set(sid, { cookie: {}, userId: '42' } as never)
    await play('end-all', { REDIS_URL: url })
    await own.set('kept', { cookie: {}, userId: '42' } as never)
    const { port: before } = await rig.master()
    const [first] = rig.options.sentinels
    await until('the replica has it', async () => (await (await rig.replica()).send('DBSIZE')) !== ':0')
    await play('failover-sentinel', { SENTINEL_URL: `redis://${first?.host}:${first?.port}` })
    await until('another master', async () => (await rig.master()).port !== before)
    await until('the application goes on', () => own.exists('kept'))
    await own.close()
    over.disconnect()
  })
})

describe('a Cluster', () => {
  let rig: ClusterRig

  beforeAll(async () => {
    rig = await startClusterRig()
  })
  afterAll(() => rig.stop())

  test('sessions end as on one Redis, and a replica takes over while the application goes on', async () => {
    const over = connectRedis(rig.addresses)
    over.on('error', () => {})
    const own = await withSessions(over as never)
    const [first] = rig.addresses
    const url = `redis://${first?.host}:${first?.port}`
    await play('end-user', { REDIS_URL: url })
    for (const sid of ['one', 'two']) await own.set(sid, { cookie: {}, userId: '42' } as never)
    await play('end-all', { REDIS_URL: url })
    await own.set('kept', { cookie: {}, userId: '42' } as never)
    const master = await rig.masterOf('sess:kept')
    let replica: RedisNode | undefined
    for (const one of rig.nodes) {
      if ((await one.field('INFO replication', 'master_port')) === String(master?.port)) replica = one
    }
    await play('failover-cluster', { REPLICA_URL: `redis://127.0.0.1:${replica?.port}` })
    await until('it has taken over', async () => (await rig.masterOf('sess:kept')) === replica)
    await until('the application goes on', () => own.exists('kept'))
    await own.close()
    over.disconnect()
  })
})

test('every block of steps is played by a test above', () => {
  const blocks = examplesOf(PAGE).filter(({ kind }) => kind === 'steps')
  expect(blocks.length).toBe((readFileSync(PAGE, 'utf8').match(/```console/g) ?? []).length)
  const source = readFileSync(__filename, 'utf8')
  const played = [...source.matchAll(/await play\('([\w-]+)'/g)].map(([, name]) => name)
  expect(played).toEqual(expect.arrayContaining(blocks.map(({ name }) => name)))
})
