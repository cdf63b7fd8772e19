import { RedisStore } from 'connect-redis-hash'
import session from 'express-session'
import fc from 'fast-check'
import { connect, freshPrefix } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix, ttl: 3600 })
const memory = new session.MemoryStore()
const REFUSED = expect.stringMatching(/^ERR_SESSION_(INVALID_COOKIE|NOT_SERIALIZABLE)$/)

afterAll(() => client.quit())

const inMemory = (sid: string) =>
  new Promise<Bag>((resolve, reject) => {
    memory.get(sid, (err, held) => (err ? reject(err) : resolve(held)))
  })

const HOUR = 3_600_000
const later = (ms: number) => new Date(Date.now() + ms)

/** Attributes that a cookie may hold, from those that express-session sets itself to any others. */
const odd = fc.oneof(
  fc.constantFrom(null, undefined, true, false, 0, -0, 1, '', 'text', '5000', Number.NaN, Infinity, 1n, Symbol('x')),
  fc.constantFrom([], {}, () => 1, new Map(), new Date(Number.NaN), new String('lax'), Object.create(null)),
  fc.integer({ min: HOUR, max: 1000 * HOUR }),
  fc.double(),
  fc.string(),
  fc.jsonValue(),
)
const expires = fc.oneof(
  fc.integer({ min: HOUR, max: 1000 * HOUR }).chain((ms) => {
    const at = later(ms)
    return fc.constantFrom(at, at.toISOString(), at.toUTCString(), at.getTime(), at.getTime() + 0.5)
  }),
  fc.constantFrom(null, undefined, false, 0, '', '2999-01-01', 1e300, 'soon', '5000', true),
  odd,
)
const maxAge = fc.oneof(fc.constantFrom(null, undefined, false, 0, HOUR, HOUR + 0.5, '5000', HOUR.toString()), odd)
const maybe = { requiredKeys: [] as [] }
const attributes = fc.record(
  {
    originalMaxAge: maxAge,
    maxAge,
    expires,
    httpOnly: odd,
    secure: fc.oneof(fc.constantFrom(true, false, 'auto'), odd),
    path: fc.oneof(fc.constantFrom('/', '/app'), odd),
    domain: odd,
    sameSite: fc.oneof(fc.constantFrom('lax', 'strict', 'none', 'Lax', true, false), odd),
    partitioned: odd,
    priority: fc.oneof(fc.constantFrom('low', 'medium', 'high'), odd),
    data: odd,
    toString: odd,
    _expires: odd,
    'a name of its own': odd,
  },
  maybe,
)

/** Whether express-session can use these attributes when the visitor comes back. */
function isUsable(cookie: Bag): boolean {
  let kept: Bag
  try {
    kept = JSON.parse(JSON.stringify(cookie))
  } catch {
    return false
  }
  const isTime = (ms: unknown) => !ms || typeof ms === 'number'
  const isDate = !kept.expires || typeof kept.expires === 'number' || typeof kept.expires === 'string'
  return isTime(kept.originalMaxAge) && isTime(kept.maxAge) && isDate
}

/** Whether the cookie ends in the past, or just about: the test is not about when it ends. */
function isOver(cookie: Bag): boolean {
  const { expires: at, maxAge: ms } = JSON.parse(JSON.stringify(cookie))
  const end = typeof at === 'string' ? new Date(at).getTime() : at
  return (Boolean(at) && end < Date.now() + 60_000) || (at === undefined && typeof ms === 'number' && ms < 60_000)
}

async function compare(cookie: Bag): Promise<'kept' | 'refused' | 'over'> {
  const sid = 'x'
  await store.destroy(sid)
  if (!isUsable(cookie)) {
    await expect(store.set(sid, { cookie, n: 1 } as Bag)).rejects.toMatchObject({ code: REFUSED })
    expect(await client.exists(prefix + sid)).toBe(0)
    return 'refused'
  }
  await store.set(sid, { cookie, n: 1 } as Bag)
  if (isOver(cookie)) return 'over'
  memory.set(sid, { cookie, n: 1 } as Bag)
  expect(await store.get(sid)).toEqual(await inMemory(sid))
  expect(store.counters.corrupt).toBe(0)
  return 'kept'
}

test('whatever cookie set takes, get returns as MemoryStore does; the rest is refused before anything is written', async () => {
  const outcomes = { kept: 0, refused: 0, over: 0 }
  await fc.assert(
    fc.asyncProperty(attributes, async (cookie) => {
      outcomes[await compare(cookie)] += 1
    }),
    { numRuns: 500 },
  )
  expect(outcomes.kept).toBeGreaterThan(20)
  expect(outcomes.refused).toBeGreaterThan(20)
})

test.each([
  ['maxAge as a text', { maxAge: '5000' }],
  ['originalMaxAge as a text', { originalMaxAge: '5000', expires: null }],
  ['originalMaxAge as a Date', { originalMaxAge: new Date() }],
  ['expires that is true', { expires: true }],
  ['expires that is an object', { expires: {} }],
  ['a BigInt somewhere', { path: '/', note: [1n] }],
])('%s is refused, and the session before stays as it is', async (_, cookie) => {
  await store.set('kept', { cookie: { path: '/' }, user: 'ada' } as Bag)
  const before = await store.get('kept')
  await expect(store.set('kept', { cookie, user: 'bob' } as Bag)).rejects.toMatchObject({
    code: REFUSED,
    status: 500,
  })
  await expect(store.touch('kept', { cookie, user: 'bob' } as Bag)).rejects.toMatchObject({
    code: REFUSED,
  })
  expect(await store.get('kept')).toEqual(before)
})

test.each([['a text'], [5], [true], [[]], [Symbol('x')]])('a cookie that is %p is refused', async (cookie) => {
  await expect(store.set('none', { cookie } as Bag)).rejects.toMatchObject({ code: REFUSED })
  expect(await store.exists('none')).toBe(false)
})

test.each([[undefined], [null], [false], [0], ['']])('a cookie that is %p is none', async (cookie) => {
  await store.set('none', { cookie, n: 1 } as Bag)
  expect(await store.get('none')).toEqual({ n: 1 })
})

test('a cookie of a class of its own is kept as its JSON', async () => {
  class Own {
    path = '/own'
    #secret = 1
    toJSON() {
      return { path: this.path, originalMaxAge: HOUR, n: this.#secret }
    }
  }
  await store.set('own', { cookie: new Own() } as Bag)
  expect(await store.get('own')).toEqual({ cookie: { path: '/own', originalMaxAge: HOUR, n: 1 } })
})

describe('a request', () => {
  /** Loads, changes, touches and saves, as express-session does it. */
  const inRequest = async (change: (cookie: Bag) => void) => {
    await store.set('live', { cookie: { path: '/', originalMaxAge: null, expires: null }, user: 'ada' } as Bag)
    const req = { sessionID: 'live', sessionStore: store } as Bag
    const live = store.createSession(req, (await store.get('live')) as Bag) as Bag
    change(live.cookie)
    live.touch()
    live.n = 1
    await store.set('live', live)
    return (await store.get('live')) as Bag
  }

  test.each([
    ['a Date', () => later(HOUR)],
    ['a text', () => later(HOUR).toISOString()],
    ['another text', () => later(HOUR).toUTCString()],
  ])('that sets expires to %s has it kept, sliding', async (_, at) => {
    const { cookie, n } = await inRequest((held) => Object.assign(held, { expires: at() }))
    expect(n).toBe(1)
    expect(cookie.originalMaxAge).toBeGreaterThan(HOUR - 5000)
    expect(new Date(cookie.expires).getTime()).toBeGreaterThan(Date.now() + HOUR - 5000)
  })

  test.each([[false], [null], ['']])('that sets expires to %p has a cookie of the browser session', async (at) => {
    const { cookie, user } = await inRequest((held) => Object.assign(held, { expires: at }))
    expect([Boolean(cookie.expires), user]).toEqual([false, 'ada'])
  })

  test('that sets expires to a Date of NaN, of which no header can be made, is refused', async () => {
    const changing = inRequest((held) => Object.assign(held, { expires: new Date(Number.NaN) }))
    await expect(changing).rejects.toMatchObject({ code: 'ERR_SESSION_INVALID_COOKIE' })
  })

  test('that puts plain data in place of the cookie has it kept', async () => {
    await store.set('live', { cookie: { path: '/' } } as Bag)
    const req = { sessionID: 'live', sessionStore: store } as Bag
    const live = store.createSession(req, (await store.get('live')) as Bag) as Bag
    live.cookie = { path: '/here', maxAge: HOUR }
    await store.set('live', live)
    expect(await store.get('live')).toMatchObject({ cookie: { path: '/here', maxAge: HOUR } })
  })
})
