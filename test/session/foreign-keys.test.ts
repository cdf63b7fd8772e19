import { createServer, type Server } from 'node:http'
import { RedisStore } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { bookkeeping } from '../support/raw-session.js'

const SECRET = 'keyboard cat'
const KEY = 'sess:sid'

let redis: PrivateRedis
let store: RedisStore
let server: Server
let corrupt: { reason: string }[]

beforeAll(async () => {
  redis = await privateRedis()
  store = new RedisStore({ client: redis.connect() })
  store.on('corrupt', (event) => corrupt.push(event))
  const app = express()
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }))
  app.get('/show', (req, res) => {
    res.json(req.session)
  })
  app.get('/put', (req, res) => {
    Object.assign(req.session, { value: 'new' })
    res.json(req.sessionID)
  })
  server = createServer(app).listen(0)
})
afterAll(async () => {
  server.close()
  await redis.stop()
})
beforeEach(async () => {
  corrupt = []
  await redis.admin.flushall()
})

const visit = (path: string) =>
  request(server)
    .get(path)
    .set('Cookie', `connect.sid=${encodeURIComponent(`s:${sign('sid', SECRET)}`)}`)
    .expect(200)

const [created, seen, idle, saves] = bookkeeping().split(' ') as [string, string, string, string]
const malformed = {
  missing: undefined,
  empty: '',
  'one word': 'junk',
  'cut after the first word': created,
  'cut after the second word': `${created} ${seen}`,
  'cut before the last word': `${created} ${seen} ${idle}`,
  'cut with a blank at the end': `${created} ${seen} ${idle} `,
  'with a blank at the end': `${created} ${seen} ${idle} ${saves} `,
  'with flags that follow at once': `${created} ${seen} ${idle} ${saves}SL`,
  'of too many words': `${created} ${seen} ${idle} ${saves} S L`,
  'with a blank in front': ` ${created} ${seen} ${idle} ${saves}`,
  'with a double blank': `${created}  ${seen} ${idle} ${saves}`,
  'with a line end': `${created} ${seen} ${idle} ${saves}\n`,
  'with tabs': `${created}\t${seen}\t${idle}\t${saves}`,
  'with NUL': `${created}\0 ${seen} ${idle} ${saves}`,
  'in upper case': `${created} ${seen} ${idle} ${saves}`.toUpperCase(),
  'with a negative creation': `-${created} ${seen} ${idle} ${saves}`,
  'with a negative idle timeout': `${created} ${seen} -${idle} ${saves}`,
  'with a fraction': `${created} ${seen} 1.5 ${saves}`,
  'with an exponent': `1e+5 ${seen} ${idle} ${saves}`,
  'with NaN': `NaN ${seen} ${idle} ${saves}`,
  'with Infinity': `${created} ${seen} Infinity ${saves}`,
  'with too large a creation': `z${'z'.repeat(30)} ${seen} ${idle} ${saves}`,
  'with too large an idle timeout': `${created} ${seen} ${'z'.repeat(30)} ${saves}`,
  'with too large a save counter': `${created} ${seen} ${idle} ${'z'.repeat(30)}`,
  'with digits of another script': `${created} ٣ ${idle} ${saves}`,
  'with flags that are none': `${created} ${seen} ${idle} ${saves} S9`,
  'with too many flags': `${created} ${seen} ${idle} ${saves} ${'S'.repeat(17)}`,
  'as JSON': JSON.stringify({ created, seen, idle, saves }),
}

type Write = (redis: PrivateRedis) => Promise<unknown>
const string =
  (text: string | Buffer): Write =>
  ({ admin }) =>
    admin.set(KEY, text)

const foreign: [name: string, write: Write][] = [
  ['an empty string', string('')],
  ['a string of text', string('hello')],
  ['a string of bytes', string(Buffer.from([0, 255, 128, 10]))],
  ['a JSON number', string('42')],
  ['JSON null', string('null')],
  ['a JSON text', string('"user"')],
  ['a JSON array', string('[{"user":"u-1"}]')],
  ['a cut JSON object', string('{"cookie":{"path":"/"},"user":"u-')],
  ['JSON whose cookie is a text', string('{"cookie":"junk","user":"u-1"}')],
  ['JSON whose cookie is null', string('{"cookie":null,"user":"u-1"}')],
  ['a list', ({ admin }) => admin.rpush(KEY, 'user', 'u-1')],
  ['a set', ({ admin }) => admin.sadd(KEY, 'user')],
  ['a sorted set', ({ admin }) => admin.zadd(KEY, 1, 'user')],
  ['a stream', ({ admin }) => admin.xadd(KEY, '*', 'user', 'u-1')],
  ['a HyperLogLog', ({ admin }) => admin.pfadd(KEY, 'user')],
  ["another application's hash", ({ admin }) => admin.hset(KEY, 'user', '"u-1"', 'role', '"admin"')],
  ...Object.entries(malformed).map(([name, text]): [string, Write] => [
    `a hash with bookkeeping ${name}`,
    ({ admin }) => admin.hset(KEY, { user: '"u-1"', ...(text === undefined ? {} : { '@': text }) }),
  ]),
]

describe.each(foreign)('a key that holds %s', (_name, write) => {
  let before: Buffer | null
  beforeEach(async () => {
    await write(redis)
    before = await redis.admin.dumpBuffer(KEY)
  })
  afterEach(async () => {
    expect(await redis.admin.dumpBuffer(KEY)).toEqual(before)
    expect(await redis.admin.pttl(KEY)).toBe(-1)
  })

  test('is no session for any reading method, and get reports it', async () => {
    expect(await store.get('sid')).toBeNull()
    expect(corrupt).toEqual([{ handle: expect.any(String), reason: expect.stringMatching(/^(type|bookkeeping)$/) }])
    expect(await store.read('sid')).toBeNull()
    expect(await store.read('sid', ['user', 'role'])).toBeNull()
    expect(await store.exists('sid')).toBe(false)
    expect(await store.info('sid')).toBeNull()
    expect(await store.all()).toEqual([])
    for await (const found of store.scan()) expect(found).toBeUndefined()
  })

  test('is left alone by set, patch, increment and touch', async () => {
    const refused = { code: 'ERR_SESSION_FOREIGN_KEY', status: 500 }
    await expect(store.patch('sid', { user: 'u-2' })).rejects.toMatchObject(refused)
    await expect(store.increment('sid', 'visits')).rejects.toMatchObject(refused)
    await store.touch('sid', { user: 'u-2', cookie: { originalMaxAge: 1000 } })
    await expect(store.set('sid', { user: 'u-2' })).rejects.toMatchObject(refused)
  })

  test('is left alone by a save of a session that was loaded before the key was taken', async () => {
    await redis.admin.rename(KEY, 'aside')
    await store.set('sid', { user: 'u-1', cookie: { originalMaxAge: 1000 } })
    const loaded = (await store.get('sid')) as unknown as Record<string, unknown>
    await redis.admin.rename('aside', KEY)
    loaded.user = 'u-2'
    await store.set('sid', loaded)
    expect(store.counters.refused).toBeGreaterThan(0)
  })

  test('is a visitor without a session, who gets a new one when something is saved', async () => {
    expect(Object.keys((await visit('/show')).body)).toEqual(['cookie'])
    const { body, headers } = await visit('/put')
    expect(body).toMatch(/^[\w-]{32}$/)
    expect(headers['set-cookie']).toHaveLength(1)
    expect(await redis.admin.hget(`sess:${body}`, 'value')).toBe('"new"')
  })
})

test('destroy ends whatever stands there', async () => {
  await redis.admin.rpush(KEY, 'user')
  await store.destroy('sid')
  expect(await redis.admin.exists(KEY)).toBe(0)
})

test('one property that cannot be read makes the whole session absent, and the event names it', async () => {
  await redis.admin.hset(KEY, { '@': bookkeeping(), user: '"u-1"', restricted: 'tru', cart: '{"items":' })
  expect(await store.get('sid')).toBeNull()
  expect(corrupt).toEqual([{ handle: expect.any(String), reason: 'field', property: 'restricted' }])
  expect(await store.read('sid', ['user'])).toEqual({ user: 'u-1' })
  expect(await store.read('sid', ['user', 'restricted'])).toBeNull()
  expect(Object.keys((await visit('/show')).body)).toEqual(['cookie'])
  expect(await redis.admin.hget(KEY, 'restricted')).toBe('tru')
})

test('an asynchronous serializer that rejects makes the session absent, whatever else is wrong with it', async () => {
  const parse = async (text: string) => JSON.parse(text)
  const waiting = new RedisStore({ client: redis.connect(), serializer: { stringify: JSON.stringify, parse } })
  for (const meta of [bookkeeping(), 'junk']) {
    await redis.admin.hset(KEY, { '@': meta, user: '"u-1"', a: '{', b: '[' })
    expect(await waiting.get('sid')).toBeNull()
  }
  expect(waiting.counters.corrupt).toBe(2)
})

describe.each([
  ['originalMaxAge', '"soon"'],
  ['originalMaxAge', '{}'],
  ['originalMaxAge', 'true'],
  ['maxAge', '"soon"'],
  ['maxAge', '[1]'],
])('a cookie whose %s is %s', (name, value) => {
  // express-session would throw while it ends the response, and the visitor would wait for ever.
  test.each([
    ['a hash', () => redis.admin.hset(KEY, { '@': bookkeeping(), '@cookie': `{"${name}":${value}}`, user: '"u-1"' })],
    ["connect-redis's string", () => redis.admin.set(KEY, `{"cookie":{"${name}":${value}},"user":"u-1"}`)],
  ])('makes %s no session', async (_name, write) => {
    await write()
    expect(await store.get('sid')).toBeNull()
    expect(corrupt).toHaveLength(1)
    expect(Object.keys((await visit('/show')).body)).toEqual(['cookie'])
    await visit('/put')
  })
})
