import { randomBytes } from 'node:crypto'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import superjson from 'superjson'
import { watchCommands } from '../support/commands.js'
import { connect, freshPrefix } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const prefix = freshPrefix()
const stores: RedisStore<Bag>[] = []

afterAll(async () => {
  await stores[0]?.clear()
  for (const store of stores) await store.close()
  await client.quit()
})

function storeOf(options: Partial<RedisStoreOptions<Bag>> = {}): RedisStore<Bag> {
  const store = new RedisStore<Bag>({ client, prefix, timeout: 30_000, ...options })
  // An index named user makes the store warn of logins without a response (test/requests/outside-login.test.ts).
  store.on('warning', () => undefined)
  stores.push(store)
  return store
}

const begin = (store: RedisStore<Bag>, sid: string, content: object) =>
  store.set(sid, { cookie: { originalMaxAge: 600_000 }, ...content } as never)

async function held(store: RedisStore<Bag>, sid: string): Promise<Bag> {
  const { cookie, ...content } = (await store.read(sid)) as Bag
  return content
}

const asyncJson = { stringify: JSON.stringify, parse: async (text: string) => JSON.parse(text) as unknown }

describe.each<[name: string, options: Partial<RedisStoreOptions<Bag>>]>([
  ['nothing else', {}],
  ['encryption', { encryption: { keys: [randomBytes(32)] } }],
  ['hashIds', { hashIds: 'a secret' }],
  ['an asynchronous serializer', { serializer: asyncJson }],
  ['onEnd', { onEnd: () => undefined }],
  ['merge', { merge: true }],
  ['an index', { indexes: { user: (s) => s.userId } }],
])('with %s', (name, options) => {
  const sid = `sid-${name.replaceAll(' ', '-')}`
  let store: RedisStore<Bag>
  beforeAll(() => {
    store = storeOf(options)
  })
  beforeEach(() =>
    begin(store, sid, { preferences: { theme: 'dark', size: { font: 12 } }, list: [1], n: 7, nothing: null }),
  )

  test('a value is set and read, and its neighbours stay', async () => {
    expect(await store.setPath(sid, ['preferences', 'theme'], 'light')).toBe(true)
    expect(await store.setPath(sid, ['preferences', 'size', 'font'], 14)).toBe(true)
    expect(await store.getPath(sid, ['preferences', 'theme'])).toBe('light')
    expect(await store.getPath(sid, ['preferences', 'size'])).toEqual({ font: 14 })
    expect(await held(store, sid)).toEqual({
      preferences: { theme: 'light', size: { font: 14 } },
      list: [1],
      n: 7,
      nothing: null,
    })
  })

  test('objects that are missing on the way are made, and a path of one name is the property', async () => {
    expect(await store.setPath(sid, ['a', 'b', 'c'], 1)).toBe(true)
    expect(await store.setPath(sid, ['preferences', 'x', 'y'], 2)).toBe(true)
    expect(await store.setPath(sid, ['n'], 8)).toBe(true)
    expect(await held(store, sid)).toMatchObject({
      a: { b: { c: 1 } },
      preferences: { theme: 'dark', x: { y: 2 } },
      n: 8,
    })
    expect(await store.getPath(sid, ['a', 'b', 'c'])).toBe(1)
    expect(await store.getPath(sid, ['n'])).toBe(8)
  })

  test('undefined removes a value, and one that is not there is no error', async () => {
    expect(await store.setPath(sid, ['preferences', 'theme'], undefined)).toBe(true)
    expect(await store.setPath(sid, ['n'], undefined)).toBe(true)
    expect(await store.setPath(sid, ['gone', 'deep', 'down'], undefined)).toBe(true)
    expect(await store.setPath(sid, ['preferences', 'gone', 'deep'], undefined)).toBe(true)
    expect(await held(store, sid)).toEqual({ preferences: { size: { font: 12 } }, list: [1], nothing: null })
  })

  test('what leads through a list, a scalar or null is refused, and nothing changes', async () => {
    const before = await held(store, sid)
    for (const path of [
      ['list', '0'],
      ['n', 'x'],
      ['nothing', 'x'],
      ['preferences', 'theme', 'x', 'y'],
    ] as const) {
      await expect(store.setPath(sid, path, 1)).rejects.toMatchObject({
        code: 'ERR_SESSION_NOT_AN_OBJECT',
        status: 500,
      })
      expect(await store.getPath(sid, path)).toBeUndefined()
    }
    expect(await held(store, sid)).toEqual(before)
  })

  test('a session that is not there: false, undefined, and nothing is made', async () => {
    expect(await store.setPath(`no-${sid}`, ['a', 'b'], 1)).toBe(false)
    expect(await store.getPath(`no-${sid}`, ['a', 'b'])).toBeUndefined()
    expect(await store.setPath('not an id *', ['a'], 1)).toBe(false)
    expect(await store.exists(`no-${sid}`)).toBe(false)
  })

  test('30 paths at once, beside saves of other requests, are all there', async () => {
    const other = storeOf(options)
    const set = Array.from({ length: 30 }, (_, i) => (i % 2 ? store : other).setPath(sid, ['preferences', `k${i}`], i))
    const counted = Array.from({ length: 5 }, () => store.increment(sid, 'n' as never))
    expect(await Promise.all(set)).toEqual(set.map(() => true))
    await Promise.all(counted)
    const { preferences, n } = await held(store, sid)
    expect(Object.keys(preferences)).toHaveLength(32)
    expect(n).toBe(12)
  })

  test('names that every object has are names like any others', async () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty', 'prototype', '@', '']) {
      expect(await store.getPath(sid, [name])).toBeUndefined()
      expect(await store.getPath(sid, ['preferences', name, 'x'])).toBeUndefined()
      expect(await store.setPath(sid, ['preferences', name, 'prototype'], 1)).toBe(true)
      expect(await store.getPath(sid, ['preferences', name])).toEqual({ prototype: 1 })
      expect(await store.setPath(sid, [name, 'x'], 1)).toBe(true)
      expect(await store.getPath(sid, [name, 'x'])).toBe(1)
    }
    expect(({} as Bag).x).toBeUndefined()
    expect(({} as Bag).prototype).toBeUndefined()
  })
})

test('__proto__, cookie and what is no list of names are TypeErrors', async () => {
  const store = storeOf()
  await begin(store, 'proto', { a: JSON.parse('{"__proto__":{"x":1}}') })
  for (const path of [
    ['__proto__'],
    ['__proto__', 'isAdmin'],
    ['a', '__proto__', 'isAdmin'],
    ['cookie', 'maxAge'],
    [],
    'a.b',
    [1],
    ['a', 0],
    [['a']],
    undefined,
    Array.from({ length: 101 }, () => 'a'),
  ] as Bag[]) {
    await expect(store.setPath('proto', path, true)).rejects.toThrow(TypeError)
    await expect(store.getPath('proto', path)).rejects.toThrow(TypeError)
  }
  expect(({} as Bag).isAdmin).toBeUndefined()
})

test('getPath costs one HMGET; setPath an HMGET and a script, and only the first one if nothing changes', async () => {
  // Stores with onEnd, on the other prefix, look for work now and then.
  const own = freshPrefix()
  const log = await watchCommands(client, own)
  const store = storeOf({ prefix: own })
  await begin(store, 'cost', { a: { b: 1 } })
  await store.setPath('cost', ['a', 'b'], 2)
  await log.take()
  const names = async () => (await log.take()).map(([name]) => name?.toUpperCase())
  await store.getPath('cost', ['a', 'b'])
  expect(await names()).toEqual(['HMGET'])
  await store.setPath('cost', ['a', 'b'], 3)
  expect(await names()).toEqual(['HMGET', 'EVALSHA'])
  await store.setPath('cost', ['a', 'b'], 3)
  expect(await names()).toEqual(['HMGET'])
  log.stop()
  await store.clear()
})

test('setPath prolongs no session, and is saved and refused like patch', async () => {
  const store = storeOf()
  await begin(store, 'ttl', { a: {} })
  await client.pexpire(`${prefix}ttl`, 50_000)
  const told: unknown[] = []
  store.on('saved', ({ fields }) => told.push(fields))
  store.on('refused', ({ operation }) => told.push(operation))
  await store.setPath('ttl', ['a', 'b'], 1)
  expect(await client.pttl(`${prefix}ttl`)).toBeLessThanOrEqual(50_000)
  await store.setPath('nobody', ['a', 'b'], 1)
  expect(told).toEqual([1, 'setPath'])
})

test('maxBytes is asked, and nothing is written', async () => {
  const store = storeOf({ maxBytes: 500 })
  await begin(store, 'size', { a: { b: 1 } })
  await expect(store.setPath('size', ['a', 'c'], 'x'.repeat(600))).rejects.toMatchObject({
    code: 'ERR_SESSION_TOO_LARGE',
  })
  expect(await held(store, 'size')).toEqual({ a: { b: 1 } })
})

describe('a path into a property that an index reads', () => {
  const indexes = { user: (s: Bag) => s.account?.id }

  test('keeps the index right', async () => {
    const store = storeOf({ indexes })
    await begin(store, 'indexed', { account: { id: 'ada', name: 'A' } })
    await store.setPath('indexed', ['account', 'id'], 'bob')
    expect(await store.countBy('user', 'ada')).toBe(0)
    expect(await store.findBy('user', 'bob')).toHaveLength(1)
    await store.setPath('indexed', ['account'], undefined)
    expect(await store.findBy('user', 'bob')).toHaveLength(0)
    await store.setPath('indexed', ['account', 'id'], 'cid')
    expect(await store.destroyBy('user', 'cid')).toBe(1)
    expect(await store.exists('indexed')).toBe(false)
  })

  test('is asked for the limit before anything is written', async () => {
    const store = storeOf({ indexes, limit: { index: 'user', max: 1, onExceed: 'reject' } })
    await begin(store, 'first', { account: { id: 'eve' } })
    await begin(store, 'second', { account: {} })
    await expect(store.setPath('second', ['account', 'id'], 'eve')).rejects.toMatchObject({ code: 'ERR_SESSION_LIMIT' })
    expect(await held(store, 'second')).toEqual({ account: {} })
    expect(await store.setPath('second', ['account', 'name'], 'x')).toBe(true)
  })

  test('and that patch changes at once, in ten rounds, leaves an index that finds the session', async () => {
    const store = storeOf({ indexes })
    for (let round = 0; round < 10; round++) {
      await begin(store, 'races', { account: { id: 'ada' } })
      await Promise.all([
        store.setPath('races', ['account', 'id'], `a${round}`),
        store.patch('races', { account: { id: `b${round}` } } as never),
        store.setPath('races', ['account', 'name'], 'x'),
      ])
      const { account } = await held(store, 'races')
      expect(await store.findBy('user', account.id)).toHaveLength(1)
      await store.destroy('races')
    }
  })
})

test("a string of connect-redis's becomes a hash", async () => {
  const store = storeOf()
  const content = { cookie: { originalMaxAge: 600_000, path: '/', httpOnly: true }, a: { b: 1 } }
  await client.set(`${prefix}string`, JSON.stringify(content), 'EX', 600)
  expect(await store.getPath('string', ['a', 'b'])).toBe(1)
  expect(await store.setPath('string', ['a', 'c'], 2)).toBe(true)
  expect(await held(store, 'string')).toEqual({ a: { b: 1, c: 2 } })
  expect(await client.type(`${prefix}string`)).toBe('hash')
})

test('dates, sets and instances of another serializer are set, and are no way', async () => {
  const store = storeOf({ serializer: superjson })
  await begin(store, 'super', { a: { at: new Date(1) } })
  await store.setPath('super', ['a', 'tags'], new Set([1]))
  expect(await store.getPath('super', ['a'])).toEqual({ at: new Date(1), tags: new Set([1]) })
  await expect(store.setPath('super', ['a', 'at', 'x'], 1)).rejects.toMatchObject({ code: 'ERR_SESSION_NOT_AN_OBJECT' })
  expect(await store.getPath('super', ['a', 'tags', 'size'])).toBeUndefined()
})

test('a request that has loaded before sees no session of its own overwritten by a path beside it', async () => {
  const store = storeOf({ merge: ['a'] })
  await begin(store, 'beside', { a: { b: 1 } })
  const data = (await store.get('beside')) as Bag
  await store.setPath('beside', ['a', 'c'], 2)
  data.a.d = 3
  await store.set('beside', data)
  expect(await held(store, 'beside')).toEqual({ a: { b: 1, c: 2, d: 3 } })
})
