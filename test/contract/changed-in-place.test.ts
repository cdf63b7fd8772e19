import { RedisStore, type RedisStoreOptions, rotateOnLogin, saveBeforeResponse } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import superjson, { SuperJSON } from 'superjson'
import { watchCommands } from '../support/commands.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const prefix = freshPrefix()
const stores: RedisStore[] = []
afterAll(async () => {
  for (const store of stores) await store.close()
  await client.quit()
})

class Basket {
  items = new Set<string>()
}

/** A class whose content only its serializer can see. */
class Purse {
  #coins: number
  constructor(coins = 0) {
    this.#coins = coins
  }
  get coins() {
    return this.#coins
  }
  add() {
    this.#coins += 1
  }
}

const own = new SuperJSON()
own.registerClass(Basket)
own.registerCustom<Purse, number>(
  {
    isApplicable: (value): value is Purse => value instanceof Purse,
    serialize: (p) => p.coins,
    deserialize: (n) => new Purse(n),
  },
  'purse',
)
/** A serializer that writes the same value differently each time. */
const salted = {
  stringify: (value: unknown) => `${Math.random()} ${superjson.stringify(value)}`,
  parse: (text: string): unknown => superjson.parse(text.slice(text.indexOf(' ') + 1)),
}
const slow = { stringify: superjson.stringify, parse: async (text: string) => superjson.parse<unknown>(text) }

/** Ways to make something, and to change it in place so that JSON.stringify does not show it. */
const KINDS: Record<string, { make: () => unknown; change: (held: Bag) => void; look: (held: Bag) => unknown }> = {
  'a Map': {
    make: () => new Map([['tea', 1]]),
    change: (map) => map.set('cake', 1),
    look: (map) => [...map.keys()].join(),
  },
  'a Set deep inside': {
    make: () => ({ list: [{ set: new Set(['tea']) }] }),
    change: (held) => held.list[0].set.add('cake'),
    look: (held) => [...held.list[0].set].join(),
  },
  'a class instance': {
    make: () => new Basket(),
    change: (basket) => basket.items.add('cake'),
    look: (basket) => [...basket.items].join(),
  },
  'an instance with private fields': {
    make: () => new Purse(1),
    change: (purse) => purse.add(),
    look: (purse) => purse.coins,
  },
  'a RegExp that is replaced': {
    make: () => [/a/],
    change: (held) => held.splice(0, 1, /b/),
    look: (held) => held[0].source,
  },
  'undefined in a list': {
    make: () => [null],
    change: (held) => held.splice(0, 1, undefined),
    look: (held) => `${held[0]}`,
  },
}

function site(store: RedisStore, middleware: express.RequestHandler[] = [], rolling = false) {
  stores.push(store)
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false, rolling }), ...middleware)
  const on = (path: string, work: (held: Bag, kind: string) => unknown) =>
    app.get(`/${path}/:kind`, (req, res) => {
      res.json(work(req.session, req.params.kind as string) ?? null)
    })
  on('make', (held, kind) => void Object.assign(held, { [kind]: KINDS[kind]?.make() }))
  on('change', (held, kind) => void KINDS[kind]?.change(held[kind]))
  on('look', (held, kind) => KINDS[kind]?.look(held[kind]))
  on('id', (held) => held.id)
  on('login', (held) => void held.who.set('user', 'ada'))
  on('start', (held) => void Object.assign(held, { who: new Map() }))
  return new Visitor(app)
}

const storeWith = (more: Partial<RedisStoreOptions> = {}) =>
  new RedisStore({ client, prefix, serializer: own, ...more })

describe.each([
  ['', {}],
  [', with the near cache', { cache: { max: 100, maxAge: 60 } }],
  [', with a serializer that parses later', { serializer: slow }],
  [', with a serializer that writes a value differently each time', { serializer: salted }],
  [', encrypted', { encryption: { keys: [Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7))] } }],
] as [string, Partial<RedisStoreOptions>][])('changed in place%s', (_, more) => {
  const known = more.serializer === undefined ? Object.keys(KINDS) : ['a Map', 'a Set deep inside']
  test.each(known)('%s is kept', async (kind) => {
    const visitor = site(storeWith(more))
    await visitor.get(`/make/${kind}`)
    await visitor.get(`/look/${kind}`)
    await visitor.get(`/change/${kind}`)
    const changed = KINDS[kind]?.make()
    KINDS[kind]?.change(changed)
    expect((await visitor.get(`/look/${kind}`)).body).toBe(KINDS[kind]?.look(changed))
  })

  test('costs no command where nothing is changed', async () => {
    const store = storeWith(more)
    const visitor = site(store)
    await visitor.get('/make/a Map')
    const { saved } = store.counters
    const log = await watchCommands(client, prefix)
    await visitor.get('/look/a Map')
    await visitor.get('/look/a Map')
    const commands = (await log.take()).map(([name]) => name?.toLowerCase())
    log.stop()
    expect(commands.filter((name) => name === 'evalsha' || name === 'eval')).toEqual([])
    expect(store.counters.saved).toBe(saved)
  })
})

test('two requests that change two Maps in place both survive', async () => {
  const store = storeWith()
  const app = site(store)
  await app.get('/make/a Map')
  await store.patch(app.sid, { other: new Map() })
  const [one, two] = [(await store.get(app.sid)) as Bag, (await store.get(app.sid)) as Bag]
  one['a Map'].set('cake', 1)
  two.other.set('x', 1)
  await Promise.all([store.touch(app.sid, one), store.touch(app.sid, two)])
  const held = (await store.get(app.sid)) as Bag
  expect([held['a Map'].size, held.other.size]).toEqual([2, 1])
})

test('a change in place of a session that has ended brings nothing back, and is refused once', async () => {
  const store = storeWith()
  await store.set('gone', { cookie: {}, map: new Map() } as Bag)
  const held = (await store.get('gone')) as Bag
  await store.destroy('gone')
  held.map.set('x', 1)
  await store.touch('gone', held)
  await store.touch('gone', held)
  expect(await store.exists('gone')).toBe(false)
  expect(store.counters.refused).toBe(1)
})

test('a touch under another id than the session was loaded with writes nothing of it', async () => {
  const store = storeWith()
  await store.set('one', { cookie: {}, map: new Map() } as Bag)
  const held = (await store.get('one')) as Bag
  held.map.set('x', 1)
  await store.touch('two', held)
  expect(await store.exists('two')).toBe(false)
  expect(((await store.get('one')) as Bag).map.size).toBe(0)
})

test('a change in place that cannot be saved is an error of touch, and one that is too large, too', async () => {
  const store = storeWith({ maxBytes: 1000 })
  await store.set('x', { cookie: {}, map: new Map() } as Bag)
  const held = (await store.get('x')) as Bag
  held.map.set('x', 'x'.repeat(2000))
  await expect(store.touch('x', held)).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
  const small = storeWith({ maxBytes: 10 })
  await small.touch('x', (await small.get('x')) as Bag)
})

test('a login by a change in place gets a new id, as any other', async () => {
  const store = storeWith({ indexes: { user: (held) => held.who?.get('user') } })
  const visitor = site(store, [
    rotateOnLogin() as express.RequestHandler,
    saveBeforeResponse() as express.RequestHandler,
  ])
  await visitor.get('/start/x')
  const before = visitor.sid
  await visitor.get('/login/x')
  expect(visitor.sid).not.toBe(before)
  expect(await store.countBy('user', 'ada')).toBe(1)
})

test('with JSON nothing is compared: a touch never serialises', async () => {
  const store = new RedisStore({ client, prefix })
  await store.set('json', { cookie: {}, a: { n: 1 } } as Bag)
  const held = (await store.get('json')) as Bag
  held.a = { toJSON: () => fail('serialised') }
  await store.touch('json', held)
})

function fail(message: string): never {
  throw new Error(message)
}
