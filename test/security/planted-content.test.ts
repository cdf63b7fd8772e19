import { randomBytes } from 'node:crypto'
import { loadSession, RedisStore, type RedisStoreOptions, rotateSession } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import { hasten } from '../support/hasten.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'
import { Visitor } from '../support/visitor.js'

// An attacker can write to Redis, and the store encrypts: whatever they put under a session's key, nobody gets to see
// it.

const client = connect()
const prefix = freshPrefix()
const encryption = { keys: [randomBytes(32)] }
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const FORGED = 'FORGED'
const HOUR_MS = 3_600_000
const key = (sid: string) => prefix + sid

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

/** A store, and all that any part of an application has seen of its sessions. */
interface Watched {
  store: RedisStore
  seen: unknown[]
  corrupt: unknown[]
  ended: string[]
}

const stores: RedisStore[] = []

function watched(options: Partial<RedisStoreOptions> = {}): Watched {
  const seen: unknown[] = []
  const ended: string[] = []
  const corrupt: unknown[] = []
  const store = new RedisStore({
    client,
    prefix,
    encryption,
    ttl: HOUR_MS / 1000,
    touchInterval: 0,
    timeout: 10_000,
    indexes: {
      user: (held: Bag) => {
        seen.push({ ...held })
        return held.userId
      },
    },
    validate: (held) => {
      seen.push({ ...held })
      return true
    },
    onEnd: async (end, reason) => {
      seen.push(end)
      ended.push(reason)
    },
    ...options,
  })
  for (const event of ['corrupt', 'warning', 'conflict', 'destroyed'] as const) {
    store.on(event, (what) => seen.push(what))
  }
  store.on('corrupt', (what) => corrupt.push(what))
  stores.push(store)
  return { store, seen, corrupt, ended }
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  const left = await client.keys(`*${prefix}*`)
  if (left.length > 0) await client.del(left)
})
afterAll(() => client.quit())

const make = (store: RedisStore, sid: string, held: object = {}) =>
  store.set(sid, { cookie, userId: 'ada', note: 'mine', n: 1, ...held } as never)

/** Contents that replace what the key holds, which has just been written; the bookkeeping of a hash stays. */
const plants: Record<string, (storedId: string) => Promise<unknown>> = {
  "a string of connect-redis's": (id) =>
    client.set(key(id), JSON.stringify({ cookie: {}, userId: 'ada', n: 7, note: FORGED }), 'EX', 3600),
  'a string that is ciphertext': async (id) =>
    client.set(key(id), (await client.hget(key(id), 'note')) ?? '', 'EX', 3600),
  'a hash in plain text': (id) => client.hset(key(id), { userId: '"ada"', note: JSON.stringify(FORGED), n: '7' }),
  'a hash with one plain text among its own': (id) => client.hset(key(id), 'note', JSON.stringify(FORGED)),
  'a hash with a new property in plain text': (id) => client.hset(key(id), 'order', JSON.stringify(FORGED)),
  'a property under another spelling of its name': (id) => client.hset(key(id), '@"note"', JSON.stringify(FORGED)),
  'the value of another property': async (id) => {
    await client.hset(key(id), 'note', (await client.hget(key(id), 'secret')) ?? '')
  },
  'the value of another session': async (id) => {
    await client.hset(key(id), 'note', (await client.hget(key('donor'), 'note')) ?? '')
  },
  'all of another session': async (id) => {
    await client.hset(key(id), await client.hgetall(key('donor')))
  },
}

const ignore = () => undefined
const collect = async (all: AsyncIterable<unknown>) => {
  const found: unknown[] = []
  for await (const one of all) found.push(one)
  return found
}

/** Operations that ask for the content. Those that only look at bookkeeping are in `lookers`. */
const readers: Record<string, (store: RedisStore) => Promise<unknown>> = {
  get: (store) => store.get('s'),
  'read of the property': (store) => store.read('s', ['note', 'order']),
  all: (store) => store.all(),
  scan: (store) => collect(store.scan()),
  'scan of one property': (store) => collect(store.scan({ fields: ['note', 'order'] })),
  loadSession: (store) =>
    loadSession({ headers: { cookie: `connect.sid=${encodeURIComponent(`s:${sign('s', 'secret')}`)}` } } as never, {
      store,
      secret: 'secret',
    }),
  'a patch, then get': async (store) => [await store.patch('s', { theme: 'dark' }).catch(ignore), await store.get('s')],
  'an increment, then get': async (store) => [await store.increment('s', 'n').catch(ignore), await store.get('s')],
  'a touch of plain data, then get': async (store) => [
    await store.touch('s', { cookie } as never),
    await store.get('s'),
  ],
  'destroyBy with thorough': (store) => store.destroyBy('user', 'nobody', { thorough: true }),
}

/** Cases in which the reader finds the genuine property, not the planted one. */
const READ_PAST = new Set(['a property under another spelling of its name, read of the property'])

const lookers: Record<string, (store: RedisStore) => Promise<unknown>> = {
  info: (store) => store.info('s'),
  exists: (store) => store.exists('s'),
  findBy: (store) => store.findBy('user', 'ada'),
  countBy: (store) => store.countBy('user', 'ada'),
  stats: (store) => store.stats(),
  ids: (store) => store.ids(),
}

const expectNothingForged = (what: unknown) => expect(JSON.stringify(what)).not.toContain(FORGED)

async function planted(plant: string, options: Partial<RedisStoreOptions> = {}): Promise<Watched> {
  const made = watched(options)
  await make(made.store, 'donor', { note: FORGED, userId: 'eve' })
  await make(made.store, 's', { secret: FORGED })
  // What the store itself was given is no finding.
  await plants[plant]?.('s')
  await client.hdel(key('s'), 'secret').catch(ignore)
  await make(made.store, 'donor', { note: 'gone', userId: 'eve' })
  made.seen.length = 0
  return made
}

describe.each(Object.keys(plants))('%s under the key of a session', (plant) => {
  test.each(Object.keys(readers))('%s gives nothing of it, and says corrupt', async (reader) => {
    for (const onEnd of [undefined, ignore] as const) {
      const { store, seen, corrupt } = await planted(plant, onEnd && { onEnd })
      const before = await client.type(key('s'))
      expectNothingForged([await readers[reader]?.(store), seen])
      if (!READ_PAST.has(`${plant}, ${reader}`)) expect(corrupt.length).toBeGreaterThan(0)
      // It stays as evidence.
      expect(await client.type(key('s'))).toBe(before)
      await client.del(key('s'))
    }
  })

  test.each(Object.keys(lookers))('%s gives nothing of it', async (looker) => {
    const { store, seen } = await planted(plant)
    expectNothingForged([await lookers[looker]?.(store), seen])
  })

  test.each<[string, (store: RedisStore) => Promise<unknown>]>([
    ['destroy', (store) => store.destroy('s')],
    ['clear', (store) => store.clear()],
    ['destroyBy', (store) => store.destroyBy('user', 'ada')],
    ['an expired save', (store) => make(store, 's', { cookie: { ...cookie, expires: new Date(1) } })],
    [
      'its time',
      async () => {
        if ((await client.type(key('s'))) === 'hash') await passTime(client, key('s'), HOUR_MS)
        else await client.del(key('s'))
        await hasten(client, prefix, HOUR_MS)
      },
    ],
  ])('ended by %s, it is not told to onEnd', async (_how, end) => {
    const { store, seen } = await planted(plant)
    // This session ends after the planted one, and is told after it.
    await make(store, 'z', { userId: 'zoe' })
    seen.length = 0
    await end(store)
    await store.destroy('z')
    await until('the last one is told', () => seen.some((one) => (one as Bag).session?.userId === 'zoe'))
    await store.close()
    expectNothingForged(seen)
  })

  test('the near cache keeps nothing of it', async () => {
    const { store, seen } = await planted(plant, { cache: { max: 10, maxAge: 60 } })
    for (let i = 0; i < 3; i++) expect(await store.get('s')).toBeNull()
    expectNothingForged(seen)
  })

  test('a move to another hashIds makes nothing of it readable', async () => {
    const made = await planted(plant)
    const moving = watched({ hashIds: 'new', acceptPlainIds: true })
    const got = [
      await moving.store.patch('s', { theme: 'dark' }).catch(ignore),
      await moving.store.get('s'),
      await moving.store.read('s', ['note', 'order']),
      await moving.store.touch('s', { cookie } as never),
      await moving.store.all(),
    ]
    expectNothingForged([got, moving.seen, made.seen])
    expect(moving.corrupt.length).toBeGreaterThan(0)
  })

  test('a save and a touch of what was loaded before hand out nothing of it', async () => {
    const { store, seen } = watched()
    await make(store, 'donor', { note: FORGED, userId: 'eve' })
    await make(store, 's', { secret: FORGED })
    const [one, two] = (await Promise.all([store.get('s'), store.get('s')])) as [Bag, Bag]
    await plants[plant]?.('s')
    seen.length = 0
    for (const held of [one, two]) {
      delete held.secret
      held.late = 1
      await store.set('s', held)
      await store.touch('s', held)
    }
    expectNothingForged(seen)
    expect(await store.get('s')).toBeNull()
  })

  test('a session that is rotated meanwhile does not go on with it', async () => {
    const { store, seen, corrupt } = watched()
    const app = express()
    app.use(session({ store, secret: 'x', resave: false, saveUninitialized: false }))
    app.get('/in', (req, res) => {
      Object.assign(req.session, { userId: 'ada', note: 'mine', secret: FORGED })
      res.end()
    })
    app.get('/again', async (req, res) => {
      await make(store, 'donor', { note: FORGED, userId: 'eve' })
      await plants[plant]?.(req.sessionID)
      delete (req.session as Bag).secret
      seen.length = 0
      await rotateSession(req)
      res.json(req.session)
    })
    const server = app.listen(0)
    try {
      const visitor = new Visitor(server)
      await visitor.get('/in')
      expectNothingForged((await visitor.get('/again')).body)
      const next = (await store.get(visitor.sid)) as Bag
      expectNothingForged([next, seen])
      expect(next).toMatchObject({ userId: 'ada', note: 'mine' })
      if (!plant.includes('string')) expect(corrupt.length).toBeGreaterThan(0)
    } finally {
      server.close()
    }
  })
})

test('a string in plain text is no reason to refuse a session of our own under the same id', async () => {
  const { store } = watched()
  await plants["a string of connect-redis's"]?.('s')
  await make(store, 's')
  expect(await store.get('s')).toMatchObject({ note: 'mine' })
})

test('with acceptPlaintext, onEnd is told what connect-redis wrote', async () => {
  const { store, seen, ended } = watched({ encryption: { ...encryption, acceptPlaintext: true } })
  await client.set(key('s'), JSON.stringify({ cookie: {}, userId: 'ada', note: 'old' }), 'EX', 600)
  await store.destroy('s')
  await until('it is told', () => ended.length > 0)
  expect(seen).toContainEqual(
    expect.objectContaining({
      session: expect.objectContaining({ note: 'old' }),
      info: expect.objectContaining({ indexes: { user: ['ada'] } }),
    }),
  )
})
