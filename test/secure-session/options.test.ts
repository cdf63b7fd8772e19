import {
  RedisStore,
  type RedisStoreOptions,
  secureSession,
  TIMEOUT_PRESETS,
  type TimeoutPreset,
} from 'connect-redis-hash'
import session from 'express-session'
import { createClient } from 'redis'
import { bookkeeping } from '../support/raw-session.js'
import { connect, freshPrefix } from '../support/redis.js'
import { type App, Browser, options, SECRET, type Site, setCookies, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const sites: Site[] = []
const { NODE_ENV } = process.env

const make = (given: object) => () => secureSession(options({ client, prefix, ...given }))
const withStore = (held: Partial<RedisStoreOptions>, given: object = {}) => {
  const store = new RedisStore({ client, prefix, ...held })
  return () => secureSession(options({ store, ...given }))
}

async function open(given: object): Promise<Site> {
  const made = await site({ client, prefix, ...given })
  sites.push(made)
  return made
}

afterEach(async () => {
  process.env.NODE_ENV = NODE_ENV
  for (const made of sites.splice(0)) made.close()
  await new RedisStore({ client, prefix }).clear()
})
afterAll(() => client.quit())

test.each<[string, object, RegExp | string]>([
  ['an option that does not exist', { prest: 'owasp-low' }, 'secureSession has no option "prest"'],
  ['an option of Object.prototype', { constructor: 1 }, 'secureSession has no option "constructor"'],
  ['resave, which is fixed', { resave: true }, 'secureSession has no option "resave"'],
  ['neither client nor store', { client: undefined, prefix: undefined }, /"client" option or the "store" option/],
  ['both client and store', { store: new RedisStore({ client }) }, /"client" option or the "store" option/],
  ['a node-redis client with callbacks', { client: createClient().legacy() }, /^"client" option must be/],
  ['a malformed option of the store', { maxBytes: 0 }, /^"maxBytes" option must be/],
  ['disableTTL', { disableTTL: true }, /^"disableTTL" option must be left out/],
  ['disableTouch', { disableTouch: false }, /^"disableTouch" option must be left out/],
  ['no secret', { secret: undefined }, /^"secret" option must be .*openssl rand -base64 32/],
  ['a short secret', { secret: SECRET.slice(1) }, /^"secret" option must be .*at least 32 characters/],
  ['a secret of one letter', { secret: 'a'.repeat(64) }, /^"secret" option must be/],
  ['a secret that is a word repeated', { secret: 'password'.repeat(8) }, /^"secret" option must be/],
  ['a list with one short secret', { secret: [SECRET, 'keyboard cat'] }, /^"secret" option must be/],
  ['an empty list of secrets', { secret: [] }, /^"secret" option must be/],
  ['a secret that is a Buffer', { secret: Buffer.alloc(32, 'x') }, /^"secret" option must be/],
  ['no user', { user: undefined }, /^"user" option must be a function/],
  ['the name of a property as user', { user: 'userId' }, /^"user" option must be a function/],
  ['an unknown preset', { preset: 'owasp' }, /^"preset" option must be one of owasp-low, owasp-high, nist-aal1/],
  ['a malformed keep', { keep: 'some' }, /^"keep" option/],
  ['bind true', { bind: true }, /^"bind" option must be/],
  ['a secret for bind', { bind: { secret: SECRET } }, /^"bind.secret" option must be left out/],
  ['an unknown option of bind', { bind: { ips: 1 } }, /no option "ips"/],
  ['a malformed option of bind', { bind: { userAgent: 'all' } }, /^"userAgent" option must be/],
  ['renew true', { renew: true }, /^"renew" option must be/],
  ['an unknown option of renew', { renew: { ever: 1 } }, /no option "ever"/],
  ['a malformed option of renew', { renew: { every: -1 } }, /^"every" option must be/],
  ['a name that is none', { name: 'my sid' }, /^"name" option must be the name of a cookie/],
  ['a name that is empty', { name: '' }, /^"name" option must be the name of a cookie/],
  ['a __Host- name without Secure', { name: '__Host-sid', cookie: { secure: false } }, /^"name" option must not begin/],
  [
    'a __secure- name without Secure',
    { name: '__secure-x', cookie: { secure: false } },
    /^"name" option must not begin/,
  ],
  ['a cookie that is a function', { cookie: () => ({}) }, /^"cookie" option must be an object/],
  ['a cookie that is null', { cookie: null }, /^"cookie" option must be an object/],
  ['cookie.domain', { cookie: { domain: 'example.com' } }, /^"cookie.domain" option must be left out: .*subdomain/],
  ['cookie.path', { cookie: { path: '/app' } }, /^"cookie.path" option must be left out: .*"\/"/],
  ['cookie.httpOnly', { cookie: { httpOnly: false } }, /^"cookie.httpOnly" option must be left out: it is always true/],
  ['cookie.expires', { cookie: { expires: new Date() } }, /^"cookie.expires" option must be left out: .*maxAge/],
  ['sameSite none', { cookie: { sameSite: 'none' } }, /^"cookie.sameSite" option must be 'lax', 'strict'/],
  ['sameSite false', { cookie: { sameSite: false } }, /^"cookie.sameSite" option must be 'lax', 'strict'/],
  ['secure auto', { cookie: { secure: 'auto' } }, /^"cookie.secure" option must be true/],
  ['a priority that is none', { cookie: { priority: 'top' } }, /^"cookie.priority" option must be/],
  ['partitioned that is no boolean', { cookie: { partitioned: 1 } }, /^"cookie.partitioned" option must be/],
  [
    'partitioned without Secure',
    { cookie: { partitioned: true, secure: false } },
    /^"cookie.partitioned" option needs/,
  ],
  ['an unknown cookie option', { cookie: { maxage: 1 } }, /no option "cookie.maxage"/],
  ['maxAge 0', { cookie: { maxAge: 0 } }, /^"cookie.maxAge" option must be milliseconds above 0/],
  ['maxAge that is a text', { cookie: { maxAge: '60' } }, /^"cookie.maxAge" option must be milliseconds above 0/],
])('%s is a TypeError that names the option', (_name, given, message) => {
  expect(make(given)).toThrow(TypeError)
  expect(make(given)).toThrow(message)
})

test('no options at all is a TypeError that shows what to write', () => {
  expect(() => (secureSession as unknown as () => void)()).toThrow(/secureSession\(\{ client, secret, user \}\)/)
})

test('a secret is never repeated in the error about it', () => {
  expect.assertions(1)
  try {
    make({ secret: 'keyboard cat' })()
  } catch (err) {
    expect((err as Error).message).not.toContain('keyboard')
  }
})

test('undefined means the default, for every option but the required ones', () => {
  const names = [
    'preset',
    'cookie',
    'name',
    'genid',
    'bind',
    'renew',
    'keep',
    'ttl',
    'absoluteTimeout',
    'store',
    'hashIds',
  ]
  expect(make(Object.fromEntries(names.map((name) => [name, undefined])))).not.toThrow()
  const cookie = { maxAge: undefined, sameSite: undefined, secure: undefined, priority: undefined }
  expect(make({ cookie, renew: { every: undefined, grace: undefined } })).not.toThrow()
})

describe('a preset', () => {
  const presets = Object.keys(TIMEOUT_PRESETS) as TimeoutPreset[]
  const MINUTE = 60
  const HOUR = 3600
  const DAY = 24 * HOUR

  test('is what OWASP and NIST have written, and cannot be changed', () => {
    const limits = presets.map((name) => [name, TIMEOUT_PRESETS[name].idle, TIMEOUT_PRESETS[name].absolute])
    expect(limits).toEqual([
      ['owasp-low', 30 * MINUTE, 8 * HOUR],
      ['owasp-high', 5 * MINUTE, 4 * HOUR],
      ['nist-aal1', 30 * DAY, 30 * DAY],
      ['nist-aal2', HOUR, DAY],
      ['nist-aal3', 15 * MINUTE, 12 * HOUR],
    ])
    expect(Object.isFrozen(TIMEOUT_PRESETS) && presets.every((name) => Object.isFrozen(TIMEOUT_PRESETS[name]))).toBe(
      true,
    )
  })

  test.each([undefined, ...presets])(
    '%s is the idle and the absolute timeout of the session in Redis',
    async (preset) => {
      const { idle, absolute } = TIMEOUT_PRESETS[preset ?? 'owasp-low']
      const browser = new Browser(await open({ preset, touchInterval: 0, renew: false }))
      await browser.get('/set?cart=tea')
      const [key] = (await client.keys(`${prefix}*`)) as [string]
      expect(within(await client.pttl(key), idle * 1000)).toBe(true)

      await age(key, (absolute - 60) * 1000)
      expect(await browser.look()).toMatchObject({ cart: 'tea' })
      expect(within(await client.pttl(key), Math.min(60, idle) * 1000)).toBe(true)
    },
  )

  test.each([undefined, ...presets])('%s renews ids as often as it says, with 30 seconds of grace', async (preset) => {
    const { renewEvery } = TIMEOUT_PRESETS[preset ?? 'owasp-low']
    const strict = preset === 'owasp-high' || preset === 'nist-aal3'
    expect(renewEvery).toBe(strict ? 300 : 900)
    const browser = new Browser(await open({ preset }))
    await browser.get('/set?cart=tea')
    const first = browser.sid
    const [key] = (await client.keys(`${prefix}*`)) as [string]
    await age(key, (renewEvery - 30) * 1000)
    await browser.look()
    expect(browser.sid).toBe(first)
    await age(key, 30_000)
    await browser.look()
    expect(browser.sid).not.toBe(first)
    const [, , , grace] = (await client.hget(key, '@renew'))?.split(' ') ?? []
    expect(Number.parseInt(grace as string, 36)).toBe(30_000)
  })

  test('may be undercut', async () => {
    const browser = new Browser(await open({ ttl: 60, absoluteTimeout: 30 }))
    await browser.get('/set?cart=tea')
    const [key] = (await client.keys(`${prefix}*`)) as [string]
    expect(within(await client.pttl(key), 30_000)).toBe(true)
  })

  test.each<[object, RegExp]>([
    [{ ttl: 1801 }, /^"ttl" option must be at most 1800 seconds with preset owasp-low, not 1801/],
    [{ ttl: 301, preset: 'owasp-high' }, /^"ttl" option must be at most 300 seconds with preset owasp-high/],
    [{ ttl: Number.POSITIVE_INFINITY }, /^"ttl" option must be at most 1800/],
    [{ ttl: () => 60 }, /^"ttl" option must be a number: .*1800 seconds of preset owasp-low/],
    [{ ttl: '60' }, /^"ttl" option must be seconds/],
    [{ ttl: Number.NaN }, /^"ttl" option must be at most 1800/],
    [{ absoluteTimeout: 28_801 }, /^"absoluteTimeout" option must be at most 28800 seconds with preset owasp-low/],
    [
      { cookie: { maxAge: 1_800_001 } },
      /^"cookie.maxAge" option must be at most 1800000 milliseconds with preset owasp-low/,
    ],
    [
      { cookie: { maxAge: 61_000 }, ttl: 60 },
      /^"cookie.maxAge" option must be at most 60000 milliseconds with a "ttl" of 60/,
    ],
  ])('is not exceeded: %j is a TypeError', (given, message) => {
    expect(make(given)).toThrow(TypeError)
    expect(make(given)).toThrow(message)
  })

  test('may be used up, by the cookie too', () => {
    expect(make({ ttl: 1800, absoluteTimeout: 28_800, cookie: { maxAge: 1_800_000 } })).not.toThrow()
  })
})

/** Of less than 5 seconds ago. */
const within = (ms: number, limit: number) => ms <= limit && ms > limit - 5000

/** Makes a session look as if it had begun this much earlier, and had been used ever since. */
async function age(key: string, ms: number): Promise<void> {
  const [created = '', seen, idle = '', saves = '', flags = ''] = ((await client.hget(key, '@')) as string).split(' ')
  const createdAt = Math.floor(Number.parseInt(created, 36) / 1000) - ms
  const [begin] = bookkeeping({ createdAt }).split(' ')
  const later = (Number.parseInt(seen as string, 36) + ms).toString(36)
  await client.hset(key, '@', [begin, later, idle, saves, flags].join(' ').trimEnd())
}

describe('a store of the caller', () => {
  const indexes = { user: (held: App) => held.userId }
  const fits = { ttl: 1800, absoluteTimeout: 28_800, indexes }

  test('that satisfies the preset is used', async () => {
    const store = new RedisStore({ client, prefix, ttl: 60, absoluteTimeout: 3600, indexes })
    const made = await site({ store })
    sites.push(made)
    const browser = new Browser(made)
    await browser.get('/set?userId=ada')
    expect(await store.read(browser.sid, ['userId'])).toEqual({ userId: 'ada' })
    expect(secureSession(options({ store })).store).toBe(store)
  })

  test.each<[Partial<RedisStoreOptions>, RegExp]>([
    [{ absoluteTimeout: 60 }, /set its "ttl" to a number of at most 1800 seconds/],
    [{ ...fits, ttl: 1801 }, /preset owasp-low: set its "ttl" to a number of at most 1800 seconds/],
    [{ ...fits, ttl: () => 60 }, /set its "ttl" to a number of at most 1800 seconds/],
    [{ ttl: 1800 }, /set its "absoluteTimeout" to at most 28800 seconds/],
    [{ ...fits, absoluteTimeout: 28_801 }, /set its "absoluteTimeout" to at most 28800 seconds/],
    [{ ttl: 1800, disableTTL: true }, /make it without "disableTTL"/],
    [{ ...fits, disableTouch: true }, /make it without "disableTouch"/],
  ])('made with %j is a TypeError that says what to set on it', (held, message) => {
    expect(withStore(held)).toThrow(TypeError)
    expect(withStore(held)).toThrow(/^"store" option does not satisfy preset owasp-low/)
    expect(withStore(held)).toThrow(message)
  })

  test('without an index of users is a TypeError: nobody could be logged out everywhere', () => {
    expect(withStore({ ...fits, indexes: {} })).toThrow(/^"store" option must have the index of users/)
  })

  test('with plain ids is a TypeError in production only', () => {
    process.env.NODE_ENV = 'production'
    expect(withStore(fits)).toThrow(/^"store" option must have "hashIds".*log in/)
    expect(withStore({ ...fits, hashIds: true })).not.toThrow()
  })

  test('is measured by the preset that is asked for', () => {
    expect(withStore(fits)).not.toThrow()
    expect(withStore(fits, { preset: 'nist-aal2' })).not.toThrow()
    expect(withStore(fits, { preset: 'owasp-high' })).toThrow(/at most 300 seconds/)
    expect(withStore({ ...fits, ttl: 60 }, { cookie: { maxAge: 60_001 } })).toThrow(/^"cookie.maxAge" option .*60000/)
  })

  test.each([
    ['prefix', 'x:'],
    ['ttl', 60],
    ['hashIds', true],
    ['encryption', { keys: [] }],
  ])('is to be given %s itself', (name, value) => {
    expect(withStore(fits, { [name]: value })).toThrow(TypeError)
    expect(withStore(fits, { [name]: value })).toThrow(new RegExp(`^"${name}" option is the store's: .*new RedisStore`))
  })

  test.each([new session.MemoryStore(), {}, null, 'redis'])('has to be a RedisStore: %p', (store) => {
    const given = () => secureSession(options({ store }))
    expect(given).toThrow(/^"store" option must be a RedisStore/)
  })
})

describe('with NODE_ENV=production', () => {
  beforeEach(() => {
    process.env.NODE_ENV = 'production'
  })

  test.each<[object, RegExp]>([
    [{ cookie: { secure: false } }, /^"cookie.secure" option must not be false .*TLS.*app\.set\('trust proxy', 1\)/],
    [{ cookie: { secure: false }, name: 'sid' }, /^"cookie.secure" option/],
    [{ name: 'sid' }, /^"name" option must begin with "__Host-" with NODE_ENV=production/],
    [{ name: '__Secure-sid' }, /^"name" option must begin with "__Host-"/],
    [{ name: '__host-sid' }, /^"name" option must begin with "__Host-"/],
    [{ hashIds: false }, /^"hashIds" option must not be false.*log in/],
  ])('%j throws an error that says what to change', (given, message) => {
    expect(make(given)).toThrow(TypeError)
    expect(make(given)).toThrow(message)
    process.env.NODE_ENV = 'development'
    expect(make(given)).not.toThrow()
  })

  test('the defaults, a __Host- name and bind: false are fine', () => {
    expect(make({})).not.toThrow()
    expect(make({ name: '__Host-shop', bind: false })).not.toThrow()
  })

  test('the cookie is the same as elsewhere', async () => {
    const response: App = await new Browser(await open({})).get('/set?cart=tea')
    expect(setCookies(response)).toEqual([expect.stringMatching(/^__Host-sid=.*; HttpOnly; Secure; SameSite=Lax$/)])
  })
})
