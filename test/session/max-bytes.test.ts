import { randomBytes } from 'node:crypto'
import { type Middleware, RedisStore, rotateOnLogin, rotateSession, saveBeforeResponse } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import fc from 'fast-check'
import { anyText } from '../support/any-text.js'
import { failureOf } from '../support/failure.js'
import { bookkeeping, writeHash } from '../support/raw-session.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const MAX = 10_000
const LARGE = 9_000
const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const json = { stringify: (value: unknown) => ` ${JSON.stringify(value)}`, parse: JSON.parse }
const encryption = { keys: [randomBytes(32)] }
const storeWith = (options: object = {}) => new RedisStore({ client, prefix, maxBytes: MAX, ...options })
const store = storeWith()
/** A store from before the limit was lowered. */
const before = storeWith({ maxBytes: 10 * MAX })

beforeEach(() => before.clear())
afterAll(async () => {
  await before.clear()
  await client.quit()
})

const letters = (bytes: number) => 'x'.repeat(bytes)
const load = async (from = store, sid = 's'): Promise<Bag> => from.get(sid)
const make = (content: object, by = store) => by.set('s', { cookie, ...content } as Bag)
const tooLarge = (work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })

/** Bytes of the properties of the only session: as they are, and as the bookkeeping notes them. */
async function sizes(): Promise<{ held: number; noted: number }> {
  const [key = '', ...others] = await client.keys(`${prefix}*`)
  expect(others).toEqual([])
  const { '@': meta = '', ...fields } = await client.hgetall(key)
  let held = 0
  for (const [field, text] of Object.entries(fields)) {
    if (!/^@[a-z]/.test(field)) held += Buffer.byteLength(field) + Buffer.byteLength(text)
  }
  return { held, noted: Number.parseInt(/ #(\w+)$/.exec(meta)?.[1] ?? '', 36) }
}

async function expectWithin(limit = MAX): Promise<void> {
  const { held, noted } = await sizes()
  expect(noted).toBe(held)
  expect(held).toBeLessThanOrEqual(limit)
}

const kinds: [string, object][] = [
  ['a plain store', {}],
  ['another serializer', { serializer: json }],
  ['encryption', { encryption }],
  ['an index', { indexes: { user: (one: Bag) => one.user } }],
  ['onEnd', { onEnd: () => {} }],
]

describe.each(kinds)('with %s, a session stays within maxBytes', (_what, options) => {
  const own = storeWith(options)
  afterAll(() => own.close())

  test('though 60 requests that have loaded it at once each add a property', async () => {
    await make({ user: 'ada' }, own)
    const views = await Promise.all(Array.from({ length: 60 }, () => load(own)))
    const failures = await Promise.all(
      views.map((view, i) => failureOf(own.set('s', Object.assign(view, { [`p${i}`]: letters(LARGE / 3) })))),
    )
    await expectWithin()
    expect(failures.filter((failure) => failure === undefined).length).toBeGreaterThan(0)
    expect(new Set(failures.map((failure) => failure?.code))).toEqual(new Set([undefined, 'ERR_SESSION_TOO_LARGE']))
  })

  test('though 60 patches each add a property, at once and one after the other', async () => {
    await make({ user: 'ada' }, own)
    await Promise.all(Array.from({ length: 60 }, (_, i) => failureOf(own.patch('s', { [`p${i}`]: letters(400) }))))
    for (let i = 0; i < 60; i++) await failureOf(own.patch('s', { [`q${i}`]: letters(400) }))
    await expectWithin()
    expect((await sizes()).held).toBeGreaterThan(MAX / 2)
  })

  test('though counters are made without end, and one that is refused is as it was', async () => {
    await make({ user: 'ada', fill: letters(6000), count: 9 }, own)
    const failures = []
    for (let i = 0; i < 60; i++) failures.push(await failureOf(own.increment('s', `${letters(150)}${i}`)))
    await expectWithin()
    expect(failures.at(-1)).toMatchObject({ code: 'ERR_SESSION_TOO_LARGE', status: 500 })
    const held = await load(own)
    const tight = storeWith({ ...options, maxBytes: (await sizes()).held })
    await tooLarge(tight.increment('s', 'count'))
    expect(await load(own)).toEqual(held)
    await expectWithin()
    expect(await tight.increment('s', 'count', -1)).toBe(8)
    await tight.close()
  })
})

describe('a session found above the limit', () => {
  beforeEach(() => make({ user: 'ada', a: letters(2 * MAX), b: letters(2 * MAX), n: 8 }, before))

  test('can be read, touched, counted in, and written without growing', async () => {
    const eager = storeWith({ touchInterval: 0 })
    const view = await load(eager)
    await eager.touch('s', view)
    expect(await eager.increment('s', 'n')).toBe(9)
    view.user = 'eve'
    await eager.set('s', view)
    expect(await eager.patch('s', { user: 'ida' })).toBe(true)
    expect(await eager.read('s', ['user', 'n'])).toEqual({ user: 'ida', n: 9 })
  })

  test('becomes smaller, also while it is still above it, and does not grow', async () => {
    const view = await load()
    view.a = letters(1.5 * MAX)
    await store.set('s', view)
    expect(await store.patch('s', { b: undefined })).toBe(true)
    const held = await client.hgetall(`${prefix}s`)
    await tooLarge(store.patch('s', { more: 1 }))
    await tooLarge(store.increment('s', 'n', 10))
    await tooLarge(store.set('s', Object.assign(await load(), { more: 1 })))
    expect(await client.hgetall(`${prefix}s`)).toEqual(held)
    await store.set('s', Object.assign(await load(), { a: 1, more: 1 }))
    await expectWithin()
  })

  const middleware: [string, Middleware | undefined, object][] = [
    ['nothing else', undefined, {}],
    ['rolling and resave', undefined, { rolling: true, resave: true }],
    ['saveBeforeResponse', saveBeforeResponse(), {}],
    ['rotateOnLogin', rotateOnLogin({ principal: (one: Bag) => one.user }), { rolling: true }],
  ]

  test.each(middleware)('does not make a request fail that only reads, with %s', async (_what, one, options) => {
    const app = express()
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false, genid: () => 's', ...options }))
    if (one) app.use(one)
    app.get('/login', (req, res) => res.json(Object.assign(req.session, { user: 'ada' })))
    app.get('/', (req, res) => res.json((req.session as Bag).user))
    await before.destroy('s')
    const visitor = new Visitor(app)
    await visitor.get('/login')
    await before.patch(visitor.sid, { a: letters(2 * MAX) })
    expect(await visitor.get('/')).toMatchObject({ status: 200, body: 'ada' })
  })

  test('goes on under another id, as large as it was, and no larger', async () => {
    let id = 0
    const app = express()
    const genid = () => `id-${id++}`
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false, genid }))
    app.get('/login', (req, res) => res.json(Object.assign(req.session, { user: 'ada' })))
    app.get('/again', (req, res, next) => rotateSession(req).then(() => res.json((req.session as Bag).user), next))
    app.get('/more', (req, res, next) => {
      Object.assign(req.session, { more: letters(MAX) })
      rotateSession(req).then(() => res.end(), next)
    })
    app.use(((err, _req, res, _next) => res.status(err.status).end(err.code)) as express.ErrorRequestHandler)
    await before.destroy('s')
    const visitor = new Visitor(app)
    await visitor.get('/login')
    await before.patch(visitor.sid, { a: letters(2 * MAX) })
    const { sid } = visitor
    expect(await visitor.get('/again')).toMatchObject({ status: 200, body: 'ada' })
    expect(visitor.sid).not.toBe(sid)
    // The store refuses before it takes the session from where it is.
    expect(await visitor.get('/more')).toMatchObject({ status: 500, text: 'ERR_SESSION_TOO_LARGE' })
    expect(await visitor.get('/again')).toMatchObject({ status: 200, body: 'ada' })
    await expectWithin(3 * MAX)
  })
})

describe('a size that is noted wrong', () => {
  const meta = () => client.hget(`${prefix}s`, '@') as Promise<string>
  const note = async (size: string) => client.hset(`${prefix}s`, '@', (await meta()).replace(/ #\w+$/, size))

  test.each(['', ' #1', ' #zzzzzz'])(
    '(%p) refuses nothing that fits, and lets nothing pass that does not',
    async (size) => {
      await make({ a: letters(LARGE), n: 9 })
      await note(size)
      await tooLarge(store.set('s', Object.assign(await load(), { b: letters(LARGE) })))
      await note(size)
      await store.set('s', Object.assign(await load(), { b: letters(500) }))
      expect((await load()).b).toHaveLength(500)
      if (size !== ' #zzzzzz') await expectWithin()
      await note(size)
      expect(await store.patch('s', { b: undefined })).toBe(true)
      await note(size)
      expect(await store.increment('s', 'n')).toBe(10)
      await store.set('s', Object.assign(await load(), { b: letters(900) }))
      await tooLarge(store.set('s', Object.assign(await load(), { c: letters(LARGE) })))
    },
  )

  test('because somebody has added fields by hand is right after the next save', async () => {
    await make({ a: 1 })
    await client.hset(`${prefix}s`, 'b', `"${letters(2 * LARGE)}"`)
    await tooLarge(store.set('s', Object.assign(await load(), { c: 1 })))
    await store.set('s', Object.assign(await load(), { a: 2 }))
    await expectWithin(2 * MAX)
  })

  test('of a session from before sizes were kept is counted at its next save, and not before', async () => {
    await writeHash(client, `${prefix}s`, [
      ['@', bookkeeping({ flags: 'S' })],
      ['user', '"ada"'],
      ['@i:user', 'ada'],
    ])
    const eager = storeWith({ touchInterval: 0 })
    await eager.touch('s', await load(eager))
    expect(await meta()).not.toContain('#')
    await eager.patch('s', { n: 1 })
    await expectWithin()
  })
})

describe("a string of connect-redis's", () => {
  const asString = (content: object) =>
    client.set(`${prefix}s`, JSON.stringify({ cookie, ...content }), 'EX', 100) as Promise<unknown>

  test('stays within maxBytes though 20 requests each add to it, by set and by patch', async () => {
    await asString({ user: 'ada' })
    const views = await Promise.all(Array.from({ length: 20 }, () => load()))
    await Promise.all([
      ...views.map((view, i) => failureOf(store.set('s', Object.assign(view, { [`p${i}`]: letters(3000) })))),
      ...views.map((_, i) => failureOf(store.patch('s', { [`q${i}`]: letters(3000) }))),
    ])
    await expectWithin()
  })

  test('above the limit is read, touched and patched, becomes smaller, and does not grow', async () => {
    const large = { user: 'ada', a: letters(2 * MAX) }
    await asString(large)
    await store.touch('s', await load())
    await tooLarge(store.set('s', Object.assign(await load(), { more: 1 })))
    expect(await load()).toMatchObject(large)
    await store.set('s', Object.assign(await load(), { a: letters(1.5 * MAX) }))
    await expectWithin(2 * MAX)
    await asString(large)
    expect(await store.patch('s', { user: 'eve' })).toBe(true)
    await tooLarge(store.patch('s', { more: 1 }))
    await asString(large)
    const indexed = storeWith({ indexes: { user: (one: Bag) => one.user } })
    await indexed.touch('s', await load(indexed))
    expect(await indexed.countBy('user', 'ada')).toBe(1)
    await indexed.destroy('s')
  })

  test('that is encrypted with its next touch is not refused, and counts as it is then', async () => {
    const own = storeWith({ encryption: { ...encryption, acceptPlaintext: true }, absoluteTimeout: 1000 })
    await asString({ user: 'ada', a: letters(LARGE) })
    await own.touch('s', await load(own))
    expect((await sizes()).held).toBeGreaterThan(MAX)
    await expectWithin(2 * MAX)
  })

  test('and a hash that is encrypted with its next save: what only takes another form is not refused', async () => {
    await make({ user: 'ada', a: letters(LARGE) })
    const own = storeWith({ encryption: { ...encryption, acceptPlaintext: true } })
    await own.set('s', Object.assign(await load(own), { user: undefined }))
    expect((await sizes()).held).toBeGreaterThan(MAX)
    await expectWithin(2 * MAX)
  })
})

test.each([{}, { encryption }])('a move to another hashIds takes the size along, with %p', async (options) => {
  const old = storeWith({ hashIds: 'old', ...options })
  const both = storeWith({ hashIds: ['new', 'old'], ...options })
  await make({ user: 'ada', a: letters(5000) }, old)
  await Promise.all(Array.from({ length: 5 }, (_, i) => failureOf(both.patch('s', { [`p${i}`]: letters(LARGE / 3) }))))
  await expectWithin()
  expect(await storeWith({ hashIds: 'new', ...options }).exists('s')).toBe(true)
  const above = storeWith({ hashIds: ['newest', 'new'], maxBytes: 1000, touchInterval: 0, ...options })
  await client.hdel((await client.keys(`${prefix}*`))[0] as string, '@moved')
  await above.touch('s', await load(above))
  expect(await storeWith({ hashIds: 'newest', ...options }).exists('s')).toBe(true)
  await expectWithin()
})

test('whatever is written in whatever order, what is noted is what is there', async () => {
  const name = fc.constantFrom('a', 'ü', '@x', '@i:user', '\ud800', 'user', '')
  const value = fc.oneof(fc.constant(undefined), anyText({ maxLength: 60 }), fc.integer())
  const step = fc.record({
    view: fc.nat(1),
    how: fc.constantFrom('set', 'patch', 'increment', 'touch', 'load', 'replace' as const),
    name,
    value,
  })
  const run = async (own: RedisStore, steps: Bag[]) => {
    await make({ user: 'ada' }, own)
    const views = [await load(own), await load(own)]
    for (const one of steps) {
      const view = views[one.view]
      if (one.how === 'load') views[one.view] = await load(own)
      else if (one.how === 'touch') await failureOf(own.touch('s', view))
      else if (one.how === 'patch') await failureOf(own.patch('s', { [one.name]: one.value }))
      else if (one.how === 'increment') await failureOf(own.increment('s', one.name, 995))
      else if (one.how === 'replace') await failureOf(own.set('s', { cookie, [one.name]: one.value } as Bag))
      else await failureOf(own.set('s', Object.assign(view, { [one.name]: one.value })))
      await expectWithin(100)
    }
    await own.destroy('s')
  }
  for (const options of [{}, { serializer: json, indexes: { user: (one: Bag) => one.user } }]) {
    const own = storeWith({ maxBytes: 100, touchInterval: 0, ...options })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), (steps) => run(own, steps)),
      { numRuns: 30 },
    )
  }
})
