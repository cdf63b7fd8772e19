import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import type { Redis } from 'ioredis'
import { idMapper } from '../../src/ids/id-mapper.js'
import { ARRIVE, DEPART, PACK } from '../../src/redis/scripts/move.js'
import { privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'
import { Visitor } from '../support/visitor.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any
type Options = Partial<RedisStoreOptions>

const storeWith = (options: Options) => new RedisStore({ client, prefix, timeout: 10_000, ...options })
const digest = (secret: string | true, sid: string) => idMapper(secret).candidates(sid)[0] as string
const keys = async () => (await client.keys(`${prefix}*`)).map((key) => key.slice(prefix.length)).sort()
const make = (store: RedisStore, sid: string, data: object) => store.set(sid, { cookie, ...data } as never)
const load = async (store: RedisStore, sid = 's') => (await store.get(sid)) as Bag

afterEach(async () => {
  const left = await client.keys(`${prefix}*`)
  if (left.length > 0) await client.del(left)
})
afterAll(() => client.quit())

/** Clients of one test, which would keep a failed run alive. */
const opened: Redis[] = []
function another(): Redis {
  const made = connect()
  opened.push(made)
  return made
}
afterEach(() => {
  for (const one of opened.splice(0)) one.disconnect()
})

describe('at rest', () => {
  test('after 100 logins no session id is in keys, values, the AOF or MONITOR', async () => {
    const redis = await privateRedis(['--appendonly', 'yes', '--appendfsync', 'always'])
    const seen: string[] = []
    const monitor = await redis.admin.monitor()
    monitor.on('monitor', (_time: string, args: string[]) => seen.push(args.join(' ')))
    const store = new RedisStore({ client: redis.connect(), hashIds: 'a secret' })
    const app = express()
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    app.get('/login/:user', (req, res, next) => {
      req.session.regenerate((err) => {
        if (err) return next(err)
        ;(req.session as Bag).user = req.params.user
        res.end('ok')
      })
    })
    app.get('/logout', (req, res) => {
      req.session.destroy(() => res.end('bye'))
    })
    const server = createServer(app).listen(0)
    try {
      const sids: string[] = []
      for (let i = 0; i < 100; i++) {
        const visitor = new Visitor(server)
        await visitor.get(`/login/u${i}`)
        sids.push(visitor.sid)
        if (i % 2) await visitor.get(`/login/again${i}`)
        sids.push(visitor.sid)
        if (i % 10 === 0) await visitor.get('/logout')
      }
      await redis.admin.echo('the end')
      while (!seen.includes('echo the end')) await new Promise((resolve) => setImmediate(resolve))
      const held: string[] = []
      for (const key of await redis.admin.keys('*')) held.push(key, JSON.stringify(await redis.admin.hgetall(key)))
      const aof = filesUnder(redis.dir).map((path) => readFileSync(path, 'latin1'))
      const everything = [...held, ...seen, ...aof].join('\n')
      // The search finds what is there, so it would find the rest.
      expect(everything).toContain('u42')
      expect(aof.join('')).toContain('u42')
      expect(held).toHaveLength(180)
      for (const sid of sids) expect(everything.includes(sid)).toBe(false)
    } finally {
      monitor.disconnect()
      server.closeAllConnections()
      server.close()
      await redis.stop()
    }
  })
})

/** Name, options before, during and after the move, and the stored id before and after it. */
const moves: [string, Options, Options, Options, string, string][] = [
  [
    'secret to secret',
    { hashIds: 'old' },
    { hashIds: ['new', 'old'] },
    { hashIds: 'new' },
    digest('old', 's'),
    digest('new', 's'),
  ],
  [
    'plain digest to secret',
    { hashIds: true },
    { hashIds: ['new', true] },
    { hashIds: 'new' },
    digest(true, 's'),
    digest('new', 's'),
  ],
  ['plain id to secret', {}, { hashIds: 'new', acceptPlainIds: true }, { hashIds: 'new' }, 's', digest('new', 's')],
]

describe.each(moves)('from %s', (_what, before, during, after, oldId, newId) => {
  const old = storeWith(before)
  const both = storeWith({ ...during, touchInterval: 0 })
  const late = storeWith(after)

  test.each(['set', 'touch'] as const)('%s moves the session, with its age and its TTL', async (use) => {
    await make(old, 's', { user: 'ada', n: 1 })
    const { createdAt } = (await old.info('s')) as { createdAt: Date }
    expect(await late.get('s')).toBeNull()
    const live = await load(both)
    expect(await keys()).toEqual([oldId])
    if (use === 'set') live.n = 2
    await both[use]('s', live)
    expect(await keys()).toEqual([newId])
    expect(await late.get('s')).toEqual({ cookie, user: 'ada', n: use === 'set' ? 2 : 1 })
    expect(await late.info('s')).toMatchObject({ createdAt })
    expect(await client.pttl(prefix + newId)).toBeGreaterThan(86_000_000)
    expect(Object.keys(await client.hgetall(prefix + newId)).sort()).toEqual(['@', '@moved', 'n', 'user'])
    expect(await old.get('s')).toBeNull()
  })

  test('patch and increment find it and move it', async () => {
    await make(old, 's', { n: 1 })
    expect(await both.patch('s', { theme: 'dark' })).toBe(true)
    expect(await keys()).toEqual([newId])
    expect(await both.increment('s', 'n')).toBe(2)
    await late.destroy('s')
    await make(old, 's', { n: 1 })
    expect(await both.increment('s', 'n')).toBe(2)
    expect(await keys()).toEqual([newId])
    expect(await both.patch('nobody', { a: 1 })).toBe(false)
  })

  test('read, info, exists and touch of an unknown object find it where it is', async () => {
    await make(old, 's', { n: 1 })
    expect(await both.read('s', ['n'])).toEqual({ n: 1 })
    expect(await both.exists('s')).toBe(true)
    expect(await keys()).toEqual([oldId])
    await both.touch('s', { cookie } as never)
    expect(await keys()).toEqual([newId])
  })

  test('a plain set replaces it under the new id and keeps its age', async () => {
    await make(old, 's', { n: 1 })
    const { createdAt } = (await old.info('s')) as { createdAt: Date }
    await make(both, 's', { m: 1 })
    expect(await keys()).toEqual([newId])
    expect(await late.info('s')).toMatchObject({ createdAt })
    expect(await late.get('s')).toEqual({ cookie, m: 1 })
  })

  test('what two requests change at once both survives, whoever moves it', async () => {
    for (let round = 0; round < 20; round++) {
      await make(old, 's', { base: 1 })
      const sessions = await Promise.all(Array.from({ length: 8 }, () => load(both)))
      sessions.forEach((live, i) => {
        live[`p${i}`] = i
      })
      await Promise.all([
        ...sessions.map((live) => both.set('s', live)),
        both.patch('s', { patched: 1 }),
        both.increment('s', 'n'),
        both.increment('s', 'n'),
      ])
      const merged = { p0: 0, p1: 1, p2: 2, p3: 3, p4: 4, p5: 5, p6: 6, p7: 7 }
      expect(await late.get('s')).toEqual({ cookie, base: 1, ...merged, patched: 1, n: 2 })
      expect(await keys()).toEqual([newId])
      await late.destroy('s')
    }
    expect(both.counters.refused).toBe(1)
  })

  test('somebody who only reads finds the session at every moment of the move', async () => {
    await make(old, 's', { base: 1 })
    const live = await load(both)
    live.n = 1
    let isMoved = false
    const reading = (async () => {
      let reads = 0
      for (; !isMoved; reads++) expect(await both.get('s')).toMatchObject({ base: 1 })
      return reads
    })()
    await both.set('s', live)
    isMoved = true
    expect(await reading).toBeGreaterThan(0)
  })

  test('a logout at any moment of the move leaves nothing under either id', async () => {
    const movers = [another(), another(), another()]
    // Some clients take seconds to find their server.
    for (const own of movers) await until('it is connected', () => storeWith({ ...during, client: own }).ping())
    for (let round = 0; round < 60; round++) {
      await make(old, 's', { base: 1 })
      const stores = movers.map((own) => storeWith({ ...during, client: own }))
      const sessions = await Promise.all(stores.map((store) => load(store)))
      const saves = sessions.map(async (live, i) => {
        live[`p${i}`] = i
        await stores[i]?.set('s', live)
      })
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
      await both.destroy('s')
      await Promise.all(saves)
      expect(await keys()).toEqual([])
    }
  })

  test('a process that stopped after any step has lost nothing', async () => {
    await make(old, 's', { base: 1 })
    const [, meta, , expires, state] = (await client.eval(PACK.lua, 1, prefix + oldId, '')) as string[]
    const token = `${state}.copy`
    const held = [meta, state, token, '', oldId, expires, 'base', '1'] as string[]
    await client.eval(ARRIVE.lua, 1, prefix + newId, ...held)
    expect(await late.get('s')).toBeNull()
    expect(await late.exists('s')).toBe(false)
    expect(await late.patch('s', { a: 1 })).toBe(false)
    // Nobody has to wait for the dead process: the old id is as good as before.
    expect(await old.patch('s', { n: 1 })).toBe(true)
    expect(await load(both)).toEqual({ cookie, base: 1, n: 1 })
    await client.hdel(prefix + oldId, 'n')
    const live = await load(both)
    live.n = 2
    await both.set('s', live)
    expect(await late.get('s')).toEqual({ cookie, base: 1, n: 2 })
    expect(await keys()).toEqual([newId])
  })

  test.each(['get', 'read', 'exists', 'info', 'patch', 'increment', 'ids'] as const)(
    'a process that stopped when the session had departed: %s completes the move, also where only the new id is known',
    async (use) => {
      await make(old, 's', { base: 1 })
      const packed = (await client.eval(PACK.lua, 1, prefix + oldId, '')) as string[]
      const [, meta, , expires, state] = packed as [string, string, string, string, string]
      const copy = [meta, state, `${state}.copy`, '', oldId, expires, 'base', '1']
      await client.eval(ARRIVE.lua, 1, prefix + newId, ...copy)
      await client.eval(DEPART.lua, 1, prefix + oldId, state, newId, `${state}.copy`)
      const uses = {
        get: () => late.get('s'),
        read: () => late.read('s', ['base']),
        exists: () => late.exists('s'),
        info: () => late.info('s'),
        patch: () => late.patch('s', { base: 1 }),
        increment: () => late.increment('s', 'more'),
        ids: async () => (await late.ids())[0],
      }
      expect(await uses[use]()).toBeTruthy()
      expect(await keys()).toEqual([newId])
      expect(await client.pttl(prefix + newId)).toBeGreaterThan(86_000_000)
    },
  )

  test('encrypted values move along', async () => {
    const encryption = { keys: [randomBytes(32)] }
    await make(storeWith({ ...before, encryption }), 's', { user: 'ada' })
    const mover = storeWith({ ...during, encryption })
    await mover.touch('s', await load(mover))
    expect(await keys()).toEqual([newId])
    expect(await storeWith({ ...after, encryption }).get('s')).toEqual({ cookie, user: 'ada' })
  })

  test('disableTTL stays without TTL', async () => {
    await make(storeWith({ ...before, disableTTL: true }), 's', { user: 'ada' })
    const mover = storeWith({ ...during, disableTTL: true })
    await mover.touch('s', await load(mover))
    expect(await keys()).toEqual([newId])
    expect(await client.pttl(prefix + newId)).toBe(-1)
  })
})

test('servers whose lists are in different order, during a deployment, lose nothing either', async () => {
  const one = storeWith({ hashIds: ['new', 'old'], touchInterval: 0 })
  const two = storeWith({ hashIds: ['old', 'new'], touchInterval: 0 })
  await make(two, 's', { base: 1 })
  for (let round = 0; round < 40; round++) {
    const sessions = await Promise.all([one, two, one, two].map(async (store) => [store, await load(store)] as const))
    await Promise.all(
      sessions.map(([store, live], i) => {
        live[`r${round}p${i}`] = 1
        return store.set('s', live)
      }),
    )
  }
  expect(Object.keys(await load(one))).toHaveLength(2 + 160)
  expect(one.counters.refused + two.counters.refused).toBe(0)
})

test('servers whose lists are in different order: a logout on either leaves nothing', async () => {
  const lists = [
    ['new', 'old'],
    ['old', 'new'],
  ]
  for (let round = 0; round < 100; round++) {
    const own = [another(), another()]
    const stores = lists.map((hashIds, i) => storeWith({ hashIds, touchInterval: 0, client: own[i] as never }))
    const enders = lists.map((hashIds) => storeWith({ hashIds }))
    await make(storeWith({ hashIds: round % 2 ? 'old' : 'new' }), 's', { base: 1 })
    const sessions = await Promise.all(stores.map((store) => load(store)))
    const saves = sessions.map((live, i) => {
      live[`p${i}`] = i
      return stores[i]?.set('s', live)
    })
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
    await enders[(round >> 1) % 2]?.destroy('s')
    await Promise.all(saves)
    expect(await keys()).toEqual([])
  }
})

describe('plain ids', () => {
  const both = storeWith({ hashIds: 'new', acceptPlainIds: true })

  test('a digest that somebody read in Redis is no session id', async () => {
    await make(storeWith({ hashIds: 'new' }), 's', { user: 'ada' })
    expect(await keys()).toEqual([digest('new', 's')])
    expect(await both.get(digest('new', 's'))).toBeNull()
  })

  test("connect-redis's string becomes a hash and then moves; two requests at once lose nothing", async () => {
    await client.set(`${prefix}s`, JSON.stringify({ cookie, user: 'ada' }), 'EX', 60)
    const [one, two, three] = (await Promise.all([load(both), load(both), load(both)])) as [Bag, Bag, Bag]
    one.a = 1
    await both.set('s', one)
    await both.touch('s', await load(both))
    expect(await keys()).toEqual([digest('new', 's')])
    two.b = 1
    await both.set('s', two)
    expect(await load(both)).toEqual({ cookie, user: 'ada', a: 1, b: 1 })
    await both.destroy('s')
    three.c = 1
    await both.set('s', three)
    expect(await keys()).toEqual([])
  })

  test('a plain set replaces the string', async () => {
    await client.set(`${prefix}s`, JSON.stringify({ cookie, user: 'ada' }), 'EX', 60)
    await make(both, 's', { user: 'bob' })
    expect(await keys()).toEqual([digest('new', 's')])
  })

  test('acceptPlainIds without hashIds throws', () => {
    expect(() => storeWith({ acceptPlainIds: true })).toThrow(
      new TypeError('"acceptPlainIds" option makes sense only with "hashIds"'),
    )
  })
})

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile())
}
