import type { AnySession } from 'connect-redis-hash'
import { RedisStore } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express, { type Request } from 'express'
import session from 'express-session'
import request from 'supertest'
import { bookkeeping, writeHash } from '../support/raw-session.js'
import { connect, connect5, freshPrefix } from '../support/redis.js'

const SECRET = 'keyboard cat'
const EVIL = '{"isAdmin":true}'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
const asyncStore = new RedisStore({
  client,
  prefix,
  serializer: { stringify: JSON.stringify, parse: async (text) => JSON.parse(text) },
})
const client5 = connect5()
const store5 = new RedisStore({ client: client5, prefix })
const key = `${prefix}sid`

afterAll(() => {
  client.disconnect()
  client5.disconnect()
})
beforeEach(() => client.del(key))

const hostileFields: [field: string, text: string][] = [
  ['__proto__', EVIL],
  ['__proto__', 'not even JSON'],
  ['constructor', `{"prototype":${EVIL}}`],
  ['prototype', EVIL],
  ['cookie', `{"isAdmin":true,"path":"/evil","__proto__":${EVIL}}`],
  ['@@__proto__', EVIL],
  ['@__proto__', EVIL],
  ['@"__proto__"', EVIL],
  ['@"\\u005f_proto__"', EVIL],
  ['@"cookie"', EVIL],
  ['@"\\u0063ookie"', EVIL],
  ['@"@cookie"', EVIL],
  ['@{"__proto__":1}', EVIL],
  ['@constructor', EVIL],
  ['@isAdmin', 'true'],
  ['@cookie', `{"__proto__":${EVIL}}`],
  ['@cookie', `{"__proto__":null}`],
  ['@cookie', `{"constructor":{"prototype":${EVIL}}}`],
  ['@cookie.1', `{"__proto__":${EVIL}}`],
  ['@cookie.__proto__', `{"__proto__":${EVIL}}`],
  ['prefs', `{"__proto__":${EVIL}}`],
  ['prefs', `{"a":[{"__proto__":${EVIL}}]}`],
  ['prefs', `{"constructor":{"prototype":${EVIL}}}`],
  ['toJSON', '"text"'],
  ['toJSON', EVIL],
  ['then', '"text"'],
  ['toString', EVIL],
  ['valueOf', EVIL],
  ['hasOwnProperty', EVIL],
  ['__defineGetter__', EVIL],
  ['__lookupSetter__', EVIL],
  ['req', EVIL],
  ['id', '"another-id"'],
  ['save', EVIL],
  ['touch', EVIL],
  ['reload', EVIL],
  ['destroy', EVIL],
  ['regenerate', EVIL],
  ['resetMaxAge', EVIL],
  ['', EVIL],
  ['0', EVIL],
  ['length', '99999'],
]

const builtIns = [Object, Array, Function, String, Map, Promise].map((made) => made.prototype)
const before = builtIns.map(Object.getOwnPropertyNames)

/** Nothing inherited, nothing but what a session is made of, and the built-ins as they were. */
function expectUnpolluted(loaded: object, prototype: object, cookiePrototype: object): void {
  expect(Object.getPrototypeOf(loaded)).toBe(prototype)
  expect(Object.getPrototypeOf((loaded as { cookie: object }).cookie)).toBe(cookiePrototype)
  expect(Object.hasOwn(loaded, '__proto__')).toBe(false)
  expect(Object.hasOwn((loaded as { cookie: object }).cookie, '__proto__')).toBe(false)
  expect((loaded as { isAdmin?: unknown }).isAdmin).toBeUndefined()
  expect((loaded as { cookie: { isAdmin?: unknown } }).cookie.isAdmin).toBeUndefined()
  expect((loaded as { prefs?: { isAdmin?: unknown } }).prefs?.isAdmin).toBeUndefined()
  expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined()
  expect(builtIns.map(Object.getOwnPropertyNames)).toEqual(before)
}

function liveSession(loaded: object): session.Session & Record<string, unknown> {
  const req = { sessionID: 'sid', sessionStore: store } as unknown as Request
  return store.createSession(req, loaded as session.SessionData) as never
}

/** The store's methods of sessions lie between their objects and express-session's prototype, the same for all. */
const methods = Object.getPrototypeOf(liveSession({ cookie: {} })) as object
test('sessions are those of express-session, with methods of the store', () => {
  expect(Object.getPrototypeOf(methods)).toBe(session.Session.prototype)
  for (const { enumerable } of Object.values(Object.getOwnPropertyDescriptors(methods))) expect(enumerable).toBe(false)
})

const app = express()
app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }))
app.use((req, res) => {
  const live = req.session as unknown as Record<string, unknown>
  if (req.path === '/put') live.value = 'changed'
  expectUnpolluted(live, methods, session.Cookie.prototype)
  const { user, isAdmin = 'no' } = live
  res.json({ user, isAdmin, id: live.id, save: typeof live.save })
})
const visit = (path: string) =>
  request(app)
    .get(path)
    .set('Cookie', `connect.sid=${encodeURIComponent(`s:${sign('sid', SECRET)}`)}`)
const clean = { user: 'u-1', isAdmin: 'no', id: 'sid', save: 'function' }

describe.each(hostileFields)('a hash with the field %j = %j', (field, text) => {
  beforeEach(() =>
    writeHash(client, key, [
      ['@', bookkeeping()],
      ['user', '"u-1"'],
      [field, text],
    ]),
  )

  test.each([
    ['a serializer', store],
    ['ioredis 5', store5],
    ['an asynchronous serializer', asyncStore],
  ])('loads through %s without inheriting anything', async (_name, loading) => {
    const loaded = (await loading.get('sid')) as unknown as Record<string, unknown>
    expectUnpolluted(loaded, Object.prototype, Object.prototype)
    expect(loaded).toMatchObject({ user: 'u-1', cookie: { path: '/', httpOnly: true } })
    const listed = await loading.read('sid', ['user', field, '__proto__', 'cookie', '@', '@cookie'])
    expect(Object.getPrototypeOf(listed)).toBe(Object.prototype)
    expect(listed).toMatchObject({ user: 'u-1' })
  })

  test('becomes a usual req.session', async () => {
    const live = liveSession((await store.get('sid')) as object)
    expectUnpolluted(live, methods, session.Cookie.prototype)
    expect(live).toMatchObject({ user: 'u-1', id: 'sid' })
    for (const method of ['touch', 'save', 'reload', 'destroy', 'regenerate', 'resetMaxAge', 'toString']) {
      expect(live[method]).toBeInstanceOf(Function)
    }
  })

  test('serves whole requests, reading and writing', async () => {
    expect((await visit('/show').expect(200)).body).toEqual(clean)
    expect((await visit('/put').expect(200)).body).toEqual(clean)
    expect(await client.hget(key, 'value')).toBe('"changed"')
    expect((await visit('/show').expect(200)).body).toEqual(clean)
  })
})

describe.each([
  [`{"cookie":{"path":"/"},"user":"u-1","__proto__":${EVIL}}`],
  [`{"cookie":{"path":"/","__proto__":${EVIL}},"user":"u-1"}`],
  [`{"__proto__":{"isAdmin":true,"user":"root"},"cookie":{"path":"/"},"user":"u-1"}`],
  [`{"cookie":{"path":"/"},"user":"u-1","constructor":{"prototype":${EVIL}}}`],
  [`{"cookie":{"path":"/"},"user":"u-1","prefs":{"__proto__":${EVIL}}}`],
  [`{"cookie":{"path":"/"},"user":"u-1","toJSON":"text","save":${EVIL},"id":"another-id","req":1}`],
])("connect-redis's string %s", (text) => {
  beforeEach(() => client.set(key, text, 'EX', 1000))

  test('loads without inheriting anything', async () => {
    const loaded = (await store.get('sid')) as object
    expectUnpolluted(loaded, Object.prototype, Object.prototype)
    expectUnpolluted(liveSession(loaded), methods, session.Cookie.prototype)
  })

  test('serves whole requests, and turns into a hash without the name', async () => {
    expect((await visit('/show').expect(200)).body).toEqual(clean)
    expect((await visit('/put').expect(200)).body).toEqual(clean)
    expect(await client.hkeys(key)).toEqual(expect.arrayContaining(['@', 'user', 'value']))
    expect(await client.hkeys(key)).not.toContain('__proto__')
    expect((await visit('/show').expect(200)).body).toEqual(clean)
  })
})

test.each(['{"__proto__":{"cookie":{"path":"/"},"isAdmin":true,"user":"root"}}', `{"__proto__":${EVIL}}`])(
  "connect-redis's string %s carries nobody's properties",
  async (text) => {
    await client.set(key, text, 'EX', 1000)
    const loaded = await store.get('sid')
    expect((loaded as AnySession | null) ?? {}).toEqual({})
    expect((await visit('/show').expect(200)).body).toMatchObject({ isAdmin: 'no' })
  },
)

describe('names that come from the application', () => {
  const named = (json: string) => JSON.parse(json) as Record<string, unknown>

  test('__proto__ as an own property is never written', async () => {
    await store.set('sid', named(`{"__proto__":${EVIL},"cookie":{"path":"/","__proto__":${EVIL}},"user":"u-1"}`))
    expect((await client.hkeys(key)).sort()).toEqual(['@', 'user'])
    expect(JSON.stringify(await client.hgetall(key))).not.toContain('isAdmin')
  })

  test('__proto__ as an own property of a loaded session is never written', async () => {
    await store.set('sid', { user: 'u-1' })
    const loaded = (await store.get('sid')) as object
    Object.defineProperty(loaded, '__proto__', { value: { isAdmin: true }, enumerable: true, configurable: true })
    Object.assign(loaded, { user: 'u-2' })
    await store.set('sid', loaded as AnySession)
    expect(await client.hgetall(key)).toEqual({ '@': expect.any(String), user: '"u-2"' })
  })

  test('__proto__ and cookie are refused by patch and increment, and nothing is written', async () => {
    await store.set('sid', { user: 'u-1' })
    const held = await client.hgetall(key)
    await expect(store.patch('sid', named(`{"user":"u-2","__proto__":${EVIL}}`))).rejects.toThrow(TypeError)
    await expect(store.patch('sid', { user: 'u-2', cookie: {} })).rejects.toThrow(TypeError)
    await expect(store.increment('sid', '__proto__')).rejects.toThrow(TypeError)
    await expect(store.increment('sid', 'cookie')).rejects.toThrow(TypeError)
    expect(await client.hgetall(key)).toEqual(held)
  })

  test('names of bookkeeping fields are ordinary names, and the bookkeeping stays as it was', async () => {
    const names = ['@', '@@', '@cookie', '@cookie.1', '@@__proto__', '@"__proto__"', '@"cookie"', '\ud800', '@\udfff']
    const data = Object.fromEntries(names.map((name) => [name, `value of ${JSON.stringify(name)}`]))
    await store.set('sid', { ...data })
    expect(await store.get('sid')).toEqual(data)
    expect(await store.read('sid', names)).toEqual(data)
    expect(await client.hget(key, '@')).toMatch(/^\w+ \w+ \w+ \w+ \w+ #\w+$/)

    expect(await store.patch('sid', { '@': 'patched', '@cookie': undefined })).toBe(true)
    const { '@cookie': _removed, ...kept } = data
    expect(await store.get('sid')).toEqual({ ...kept, '@': 'patched' })
    expect(await client.pttl(key)).toBeGreaterThan(0)
  })
})
