import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bindDevice, RedisStore, type RedisStoreOptions, renewSession, rotateOnLogin } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { Cluster, type Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { aclRules } from '../../../src/redis/permissions/acl.js'
import { NEEDED_COMMANDS, type Use } from '../../../src/redis/permissions/commands.js'
import { fromRedis } from '../../../src/redis/redis-error.js'
import { slotsBetween } from '../../support/cluster-rig.js'
import { DeviceBrowser } from '../../support/device-browser.js'
import { isCaching } from '../../support/near-cache.js'
import { PATIENCE } from '../../support/patience.js'
import { type PrivateRedis, privateRedis } from '../../support/private-redis.js'
import { freePort } from '../../support/redis-node.js'
import { isRedisSince } from '../../support/server.js'
import { Visitor } from '../../support/visitor.js'

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any

const PREFIX = 'shop[1]:'
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const listed = (...uses: Use[]) =>
  NEEDED_COMMANDS.filter(({ use }) => uses.length === 0 || uses.includes(use)).map(({ name }) => name)

/** As Redis names a command in its statistics: before 7.0, a subcommand counts as its command. */
const asCounted = (name: string) => (isRedisSince(7, 0) ? name : (name.split('|', 1)[0] as string))
const asListed = (name: string) => name.toLowerCase().replace('memory', 'memory|usage')

let redis: PrivateRedis
let client: Redis

async function user(name: string, isAdmin: boolean): Promise<Redis> {
  const rules = aclRules({ prefix: PREFIX, version: await version(), isAdmin })
  await redis.admin.call('ACL', 'SETUSER', name, 'reset', 'on', '>4711', ...rules)
  return redis.connect({ username: name, password: '4711' })
}

async function version(): Promise<[number, number]> {
  const [, major, minor] = /redis_version:(\d+)\.(\d+)/.exec(await redis.admin.info('server')) ?? []
  return [Number(major), Number(minor)]
}

/** What Redis has refused since the beginning. */
async function refused(): Promise<unknown[]> {
  const log = (await redis.admin.call('ACL', 'LOG')) as (string | number)[][]
  return log.map((entry) => entry[entry.indexOf('object') + 1])
}

/** What Redis has carried out since the last call, also in scripts. */
async function carriedOut(): Promise<string[]> {
  const ours = ['config|resetstat', 'acl|log', 'acl|setuser', 'hello', 'auth', 'flushall', 'pubsub|numsub']
  const own = new Set(ours.map(asCounted))
  return Object.keys(await redis.takeCalls()).filter((name) => !own.has(name))
}

const storeWith = (options: Partial<RedisStoreOptions> = {}, by = client) =>
  new RedisStore({ client: by, prefix: PREFIX, indexes: { user: (held) => held.userId as string }, ...options })

beforeEach(() => redis.admin.flushall())
beforeAll(async () => {
  redis = await privateRedis()
  client = await user('sessions', false)
  await client.ping()
  await carriedOut()
})
afterAll(() => redis.stop())

test('no command of a script or of the gateway is missing in the list', () => {
  const scripts = join('src', 'redis', 'scripts')
  const lua = readdirSync(scripts).map((file) => readFileSync(join(scripts, file), 'utf8'))
  const inScripts = [...lua.join('\n').matchAll(/redis\.p?call\('(\w+)'/g)].map(([, name = '']) => asListed(name))
  const gateway = readFileSync(join('src', 'redis', 'gateway.ts'), 'utf8')
  const sent = [...gateway.matchAll(/(?:\.send\('(\w+)'|\b(hgetall|evalsha|eval|ping)\()/g)].map(
    ([, called, name = '']) => asListed(called ?? name),
  )
  expect(inScripts.length).toBeGreaterThan(50)
  expect(sent.length).toBeGreaterThan(10)
  for (const name of [...inScripts, ...sent]) expect(listed()).toContain(name)
})

describe('a user that the ACL line makes', () => {
  test('lives with every option and method of a request, and Redis has nothing to refuse', async () => {
    const client5 = new Redis5(redis.socketPath, { username: 'sessions', password: '4711' }) as unknown as Redis
    try {
      for (const by of [client, client5]) {
        await caches(by)
        await visits(by)
        await devices(by)
        await methods(by)
        await moves(by)
        await ends(by)
      }
    } finally {
      client5.disconnect()
    }
    expect(await refused()).toEqual([])
    const seen = await carriedOut()
    for (const name of seen) expect(listed(...USES, 'connection').map(asCounted)).toContain(name)
    // Nothing is allowed that is not needed.
    expect(listed(...USES).filter((name) => !seen.includes(asCounted(name)))).toEqual([])
  })

  test('may not look at other keys, list keys, or change Redis', async () => {
    const attempts = [
      client.hgetall('sess:other'),
      client.hgetall('shop1:other'),
      client.get(`idx:other:${PREFIX}`),
      client.scan('0'),
      client.flushall(),
      client.config('GET', 'requirepass'),
      ...(isRedisSince(6, 2) ? [client.publish('others', 'x')] : []),
      client.eval("return redis.call('GET', 'other')", 0),
      client.eval("return redis.call('KEYS', '*')", 0),
    ]
    for (const outcome of await Promise.allSettled(attempts)) {
      expect(outcome.status).toBe('rejected')
      // Redis versions say it differently, and scripts do too.
      const told = fromRedis((outcome as PromiseRejectedResult).reason, 'this', true)
      expect(told.code).toBe('ERR_SESSION_FORBIDDEN')
    }
    await redis.admin.call('ACL', 'LOG', 'RESET')
  })

  test('with --admin, also lists, counts and clears sessions', async () => {
    const admin = await user('sessions-admin', true)
    const store = storeWith({}, admin)
    await store.set('a', { cookie, userId: 'ada' } as never)
    expect(await store.length()).toBe(1)
    expect((await store.stats()).indexes.user).toEqual({ sessions: 1, values: 1 })
    expect(await store.destroyBy('user', 'ada', { thorough: true })).toBe(1)
    await store.clear()
    expect(await refused()).toEqual([])
    const seen = await carriedOut()
    for (const name of listed('administration')) expect(seen).toContain(asCounted(name))
  })
})

test('the line for a Cluster lets ioredis find its nodes, and Redis has nothing to refuse there', async () => {
  const port = await freePort()
  const node = await privateRedis([
    ...['--port', String(port)],
    // A node on its own does not know by which address it is reached.
    ...['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
  ])
  let cluster: Cluster | undefined
  try {
    await node.admin.call('CLUSTER', 'ADDSLOTS', ...slotsBetween())
    while (!(await node.admin.cluster('INFO')).includes('cluster_state:ok')) await node.admin.ping()
    const rules = aclRules({ prefix: PREFIX, version: await version(), isCluster: true })
    await node.admin.call('ACL', 'SETUSER', 'sessions', 'reset', 'on', '>4711', ...rules)
    const redisOptions = { username: 'sessions', password: '4711' }
    cluster = new Cluster([{ host: '127.0.0.1', port }], { redisOptions })
    cluster.on('error', () => undefined)
    const store = new RedisStore({ client: cluster, prefix: PREFIX, broadcast: true, activity: true, ...PATIENCE })
    await store.set('c', { cookie, n: 1 } as never)
    expect(await store.get('c')).toMatchObject({ n: 1 })
    await store.destroy('c')
    await store.activity.read({ from: Date.now(), step: 'minute' })
    await store.close()
    expect(await node.admin.call('ACL', 'LOG')).toEqual([])
  } finally {
    cluster?.disconnect()
    await node.stop()
  }
})

const USES: Use[] = [
  'sessions',
  'connect-redis',
  'disableTTL',
  'increment',
  'rotateOnLogin',
  'indexes',
  'limit',
  'onEnd',
  'replicas',
  'activity',
  'broadcast',
  'cache',
]

/** Does all that happens between a browser and a store. */
async function visits(by: Redis): Promise<void> {
  const store = storeWith({ limit: { index: 'user', max: 1, onExceed: 'evict' }, activity: true, touchInterval: 0 }, by)
  const other = storeWith({ broadcast: true }, by)
  const told = new Promise((resolve) => other.on('ended', resolve))
  const announcing = storeWith({ broadcast: true }, by)
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(rotateOnLogin(), renewSession({ every: 0, grace: 30 }))
  app.get('/cart', (req, res) => {
    Object.assign(req.session, { cart: 'tea' })
    res.end()
  })
  app.get('/login/:user', (req, res) => {
    Object.assign(req.session, { userId: req.params.user })
    res.end()
  })
  app.get('/', (_req, res) => {
    res.end()
  })
  app.get('/logout', (req, res) => {
    req.session.destroy(() => res.end())
  })
  for (const visitor of [new Visitor(app), new Visitor(app)]) {
    for (const path of ['/cart', '/login/ada', '/', '/', '/', '/login/bob', '/']) await visitor.get(path)
  }
  const last = new Visitor(app)
  for (const path of ['/cart', '/login/ada', '/', '/logout']) await last.get(path)
  await store.activity.read({ from: Date.now(), step: 'minute' })
  await subscribed()
  await announcing.set('told', { cookie, userId: 'ada' } as never)
  await announcing.destroy('told')
  await told
  for (const one of [store, other, announcing]) await one.close()
}

/** Binds a session to its device, and refreshes the bound cookie. */
async function devices(by: Redis): Promise<void> {
  const store = storeWith({}, by)
  const app = express().set('trust proxy', 1)
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false, cookie: { secure: true } }))
  app.use(bindDevice(), rotateOnLogin())
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'bob' })
    res.end()
  })
  app.get('/', (req, res) => {
    res.json((req as { deviceSession?: object }).deviceSession)
  })
  const bob = new DeviceBrowser(app as never)
  await bob.logIn('/login')
  await bob.refresh()
  expect((await bob.get('/')).body).toEqual({ bound: true, fresh: true })
  await store.close()
}

/** Waits until both stores listen. */
async function subscribed(): Promise<void> {
  const deadline = Date.now() + 5000
  for (let count = 0; count < 2; ) {
    if (Date.now() > deadline) throw new Error(`only ${count} of 2 stores listen`)
    count = Number((await redis.admin.pubsub('NUMSUB', `idx:${PREFIX}@ended`))[1])
  }
}

async function methods(by: Redis): Promise<void> {
  const store = storeWith({}, by)
  await store.set('m', { cookie, userId: 'ada', visits: 1 } as never)
  const loaded = (await store.get('m')) as Bag
  delete loaded.visits
  await store.set('m', { ...loaded, cookie, replaced: true } as never)
  await store.patch('m', { theme: 'dark', replaced: undefined })
  await store.increment('m', 'visits')
  await store.increment('m', 'visits', 0.5)
  await store.touch('m', (await store.get('m')) as never)
  expect(await store.exists('m')).toBe(true)
  expect(await store.read('m', ['theme'])).toEqual({ theme: 'dark' })
  expect(await store.info('m')).toMatchObject({ indexes: { user: ['ada'] } })
  expect(await store.findBy('user', 'ada')).toHaveLength(1)
  expect(await store.countBy('user', 'ada')).toBe(1)
  expect(await store.destroyBy('user', 'ada', { except: 'x' })).toBe(1)
  await store.ping()
  const endless = storeWith({ disableTTL: true }, by)
  await endless.set('e', { cookie, userId: 'ada' } as never)
  expect(await redis.admin.pttl(`${PREFIX}e`)).toBe(-1)
  await endless.destroy('e')
}

/** Loads a session once, and then serves it from the process. */
async function caches(by: Redis): Promise<void> {
  const store = storeWith({ cache: { max: 10, maxAge: 60 } }, by)
  await isCaching(store, { client: by })
  await store.close()
}

/** Ends sessions, and lets others expire. */
async function ends(by: Redis): Promise<void> {
  const reasons: string[] = []
  let onTold = () => {}
  const told = new Promise<void>((resolve) => {
    onTold = resolve
  })
  const onEnd = (_ended: unknown, reason: string) => {
    if (reasons.push(reason) === 2) onTold()
  }
  const replicated = storeWith({ replicas: 1 }, by)
  await expect(replicated.destroy('nobody')).rejects.toMatchObject({ code: 'ERR_SESSION_NOT_REPLICATED' })
  await replicated.close()
  const telling = storeWith({ ttl: (held) => ((held as { isBrief?: boolean }).isBrief ? 0.05 : 60), onEnd }, by)
  await telling.set('o', { cookie, userId: 'ada', isBrief: true } as never)
  await telling.set('p', { cookie, userId: 'ada' } as never)
  await telling.destroy('p')
  await told
  expect(reasons).toEqual(['destroyed', 'expired'])
  await telling.close()
}

/** Goes on with sessions that another store, or this one with other options, has left. */
async function moves(by: Redis): Promise<void> {
  for (const sid of ['j', 'k', 'l']) await redis.admin.set(`${PREFIX}${sid}`, '{"cookie":{},"n":1}', 'EX', 60)
  const store = storeWith({}, by)
  const loaded = (await store.get('j')) as Bag
  await store.touch('j', loaded)
  loaded.n = 2
  await store.set('j', loaded)
  await store.set('k', { cookie, n: 3 } as never)
  await store.patch('l', { n: 4 })
  expect(await redis.admin.type(`${PREFIX}j`)).toBe('hash')
  const hashed = storeWith({ hashIds: true, acceptPlainIds: true, touchInterval: 0 }, by)
  const old = (await hashed.get('j')) as Bag
  old.n = 5
  await hashed.set('j', old)
  expect(await redis.admin.exists(`${PREFIX}j`)).toBe(0)
  for (const sid of ['j', 'k', 'l']) await hashed.destroy(sid)
}
