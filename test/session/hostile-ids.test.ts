import { createServer, type Server } from 'node:http'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express, { type Request } from 'express'
import session from 'express-session'
import request from 'supertest'
import { expectNoSecrets, failureOf } from '../support/failure.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'

const SECRET = 'keyboard cat'

const strings: Record<string, string> = {
  empty: '',
  blank: ' ',
  'leading blank': ' abc',
  'trailing newline': 'abc\n',
  'glob star': '*',
  'glob question mark': 'a?c',
  'glob set': '[a-z]',
  'hash tag': '{a}',
  'half a hash tag': 'a}',
  CRLF: 'a\r\nDEL other',
  'Redis protocol': '*1\r\n$8\r\nFLUSHALL\r\n',
  NUL: 'abc\0def',
  tab: 'a\tb',
  escape: '\u001b[31m',
  DEL: 'a\u007f',
  'C1 control': 'a\u0085b',
  prototype: '__proto__',
  '513 characters': 'a'.repeat(513),
  '10 kB': 'a'.repeat(10_240),
  umlaut: 'größe',
  'full-width': 'ａｂｃ',
  'combining accent': 'e\u0301',
  'zero-width': 'a\u200bb',
  'right-to-left override': 'a\u202eb',
  'byte order mark': '\ufeffabc',
  emoji: '🍪',
  'half an emoji': 'a\ud83c',
  'low surrogate': '\udf6a',
  backslash: '..\\..\\secret',
  'percent-encoded': '%2e%2e%2f',
  'percent-encoded NUL': 'a%00b',
  'percent-encoded star': '%2a',
  quotes: `a"b'c`,
  backtick: '`id`',
  dollar: '$(id)',
  semicolon: 'a;b',
  markup: '<script>',
  'JSON object': '{"a":1}',
  'JSON array': '["a"]',
  exclamation: 'a!',
  parentheses: 'a()',
  caret: 'a^b',
  hash: 'a#b',
  ampersand: 'a&b',
}

const others: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  zero: 0,
  number: 42,
  NaN: Number.NaN,
  bigint: 10n,
  true: true,
  false: false,
  array: ['valid-id'],
  'empty array': [],
  object: {},
  'object that reads as a valid id': { toString: () => 'valid-id' },
  'String object': new String('valid-id'),
  buffer: Buffer.from('valid-id'),
  symbol: Symbol('valid-id'),
  function: () => 'valid-id',
  date: new Date(0),
}

const hostile: [name: string, id: string][] = Object.entries({ ...strings, ...others }) as [string, string][]

let redis: PrivateRedis
let store: RedisStore

async function makeStore(options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const made = new RedisStore({ client: redis.connect(), ...options })
  await made.ping()
  return made
}

beforeAll(async () => {
  redis = await privateRedis()
  store = await makeStore()
  await redis.admin.hset('sess:', 'name', 'value')
  await store.set('valid-id', { value: 'mine' })
})
afterAll(() => redis.stop())
beforeEach(() => redis.takeCalls())

test('a valid id does reach Redis, and its calls are counted', async () => {
  expect(await store.get('valid-id')).toMatchObject({ value: 'mine' })
  expect(await store.get(`${'A'.repeat(507)}-_.~:`)).toBeNull()
  await store.set('+/=,@|', { value: 1 })
  expect(await redis.takeCalls()).toMatchObject({ hgetall: 2, evalsha: 1 })
})

describe.each([
  ['plain', {}],
  ['hashed', { hashIds: true as const }],
])('with %s ids', (_name, options) => {
  beforeAll(async () => {
    store = await makeStore(options)
  })

  test.each(hostile)('%s as an id is no session for any method, and Redis never hears of it', async (_name, id) => {
    expect(await store.get(id)).toBeNull()
    expect(await store.read(id)).toBeNull()
    expect(await store.read(id, ['value'])).toBeNull()
    expect(await store.exists(id)).toBe(false)
    expect(await store.info(id)).toBeNull()
    expect(await store.patch(id, { value: 2 })).toBe(false)
    expect(await store.increment(id, 'visits')).toBeNull()
    expect(await store.touch(id, { value: 1 })).toBeUndefined()
    expect(await store.destroy(id)).toBeUndefined()
    const refused = { code: 'ERR_SESSION_INVALID_ID', status: 500 }
    await expect(store.set(id, { value: 2 })).rejects.toMatchObject(refused)
    await expect(store.set(id, { value: 2, cookie: { expires: new Date(0) } })).rejects.toMatchObject(refused)
    expect(await redis.takeCalls()).toEqual({})
  })

  test.each(hostile)('%s as an id: callbacks hear the same', async (_name, id) => {
    const results = await Promise.all([
      new Promise((done) => void store.get(id, (...args) => done(args))),
      new Promise((done) => void store.destroy(id, (...args) => done(args))),
      new Promise((done) => void store.touch(id, {}, (...args) => done(args))),
      new Promise((done) => store.load(id, (...args) => done(args))),
      new Promise((done) => {
        store.set(id, {}, (err) => done((err as { code?: string } | null)?.code)).catch(() => {})
      }),
    ])
    expect(results).toEqual([[null, null], [null, undefined], [null, undefined], [], 'ERR_SESSION_INVALID_ID'])
    expect(await redis.takeCalls()).toEqual({})
  })
})

test.each([
  ['', /empty/],
  ['a'.repeat(513), /longer than 512/],
  ['stolen 8172', /none of A-Z a-z 0-9 - _ \. ~ : \+ \/ = , @ \|/],
  ['__proto__', /__proto__/],
  [8172, /no text/],
])('the error about an id names the rule it breaks: %#', async (id, rule) => {
  const failure = await failureOf(store.set(id as string, {}))
  expect(failure?.error).toMatchObject({ code: 'ERR_SESSION_INVALID_ID', message: expect.stringMatching(rule) })
})

test('the error about an id does not repeat the id', async () => {
  const failure = await failureOf(store.set('stolen-id-8172 *', {}))
  expect(failure?.code).toBe('ERR_SESSION_INVALID_ID')
  expectNoSecrets(failure?.error, ['stolen', '8172'])
})

describe('in a validly signed cookie', () => {
  let server: Server

  beforeAll(async () => {
    // express-session announces that it reads an id from there; without a listener, Node prints that.
    process.on('deprecation' as never, () => {})
    const app = express()
    app.use((req, _res, next) => {
      // cookie-parser turns `j:` cookies into objects, and express-session takes an id from there.
      const parsed = req.get('x-parsed-cookie')
      if (parsed) (req as Request & { signedCookies: unknown }).signedCookies = { 'connect.sid': JSON.parse(parsed) }
      next()
    })
    app.use(session({ store: await makeStore(), secret: SECRET, resave: false, saveUninitialized: false }))
    app.get('/show', (req, res) => {
      res.json(req.session)
    })
    app.get('/put', (req, res) => {
      ;(req.session as unknown as { value: string }).value = 'new'
      res.json(req.sessionID)
    })
    app.get('/regenerate', (req, res, next) => {
      req.session.regenerate((err) => (err ? next(err) : res.json(req.sessionID)))
    })
    server = createServer(app).listen(0)
  })
  afterAll(() => server.close())

  const signed = (id: string) => `connect.sid=${encodeURIComponent(`s:${sign(id, SECRET)}`)}`
  const sendable = Object.entries(strings).filter(([, id]) => id.isWellFormed())

  test('a valid id in such a cookie is a session', async () => {
    const { body } = await request(server).get('/show').set('Cookie', signed('valid-id')).expect(200)
    expect(body.value).toBe('mine')
  })

  test.each(sendable)('%s is a visitor without a session, and Redis never hears of it', async (_name, id) => {
    const { body, headers } = await request(server).get('/show').set('Cookie', signed(id)).expect(200)
    expect(Object.keys(body)).toEqual(['cookie'])
    expect(headers['set-cookie']).toBeUndefined()
    expect(await redis.takeCalls()).toEqual({})
  })

  test.each(sendable)('%s does not become the id of a session when something is saved', async (_name, id) => {
    const { body, headers } = await request(server).get('/put').set('Cookie', signed(id)).expect(200)
    expect(body).toMatch(/^[\w-]{32}$/)
    expect(headers['set-cookie']?.[0]).toContain(encodeURIComponent(sign(body, SECRET)))
    expect(await redis.admin.exists(`sess:${id}`)).toBe(id === '' ? 1 : 0)
    expect(await redis.admin.hget(`sess:${body}`, 'value')).toBe('"new"')
    const { exists: _exists, hget: _hget, hset: _hset, ...calls } = await redis.takeCalls()
    expect(Object.keys(calls).filter((name) => !['evalsha', 'eval', 'time', 'type', 'pexpire'].includes(name))).toEqual(
      [],
    )
  })

  test.each(sendable)('%s can be regenerated away', async (_name, id) => {
    const { body } = await request(server).get('/regenerate').set('Cookie', signed(id)).expect(200)
    expect(body).toMatch(/^[\w-]{32}$/)
  })

  test.each(['{"a":1}', '["valid-id"]', '42', 'true'])('%s as a parsed cookie is no session', async (json) => {
    const { body } = await request(server).get('/show').set('x-parsed-cookie', json).expect(200)
    expect(Object.keys(body)).toEqual(['cookie'])
    expect(await redis.takeCalls()).toEqual({})
  })
})

test('what stood at the bare prefix is untouched', async () => {
  expect(await redis.admin.hgetall('sess:')).toEqual({ name: 'value' })
  expect(await redis.admin.hget('sess:valid-id', 'value')).toBe('"mine"')
})
