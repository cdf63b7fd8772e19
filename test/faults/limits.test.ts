import { RedisStore } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { expectNoSecrets, failureOf } from '../support/failure.js'
import { connect, freshPrefix } from '../support/redis.js'

type Bag = Record<string, unknown>

const client = connect()
const prefix = freshPrefix()
const key = `${prefix}sid`
const MAX_BYTES = 1000

afterAll(() => client.disconnect())
beforeEach(() => client.del(key))

const letters = (bytes: number) => 'x'.repeat(bytes)

describe('a session over maxBytes', () => {
  const store = new RedisStore({ client, prefix, maxBytes: MAX_BYTES })
  const tooLarge = { code: 'ERR_SESSION_TOO_LARGE', status: 500 }

  async function expectTooLarge(work: Promise<unknown>): Promise<void> {
    const failure = await failureOf(work)
    expect(failure).toMatchObject(tooLarge)
    expect(failure?.error.message).toMatch(/\b\d{4} .*\b1000\b/)
    expectNoSecrets(failure?.error, ['xxxxxxxx', 'sid', prefix, 'ééé'])
  }

  test('is refused when it is new, and nothing is written', async () => {
    await expectTooLarge(store.set('sid', { value: letters(MAX_BYTES) }))
    expect(await client.exists(key)).toBe(0)
  })

  test('is refused when it was loaded and grew, and stays as it was', async () => {
    await store.set('sid', { value: 'small' })
    const before = await client.hgetall(key)
    const loaded = (await store.get('sid')) as unknown as Bag
    loaded.other = letters(MAX_BYTES)
    await expectTooLarge(store.set('sid', loaded))
    expect(await client.hgetall(key)).toEqual(before)
    delete loaded.other
    loaded.value = 'changed'
    await store.set('sid', loaded)
    expect(await store.get('sid')).toEqual({ value: 'changed' })
  })

  test('is refused by patch, and stays as it was', async () => {
    await store.set('sid', { value: 'small' })
    const before = await client.hgetall(key)
    await expectTooLarge(store.patch('sid', { value: 'new', other: letters(MAX_BYTES) }))
    expect(await client.hgetall(key)).toEqual(before)
  })

  test('is measured in bytes of names and texts, and one of exactly maxBytes is saved', async () => {
    const room = MAX_BYTES - 'value""'.length
    await store.set('sid', { value: letters(room) })
    expect(await store.get('sid')).toEqual({ value: letters(room) })
    await expectTooLarge(store.set('sid', { value: letters(room + 1) }))
    await expectTooLarge(store.set('sid', { value: 'é'.repeat(room / 2 + 1) }))
    await expectTooLarge(store.set('sid', { [letters(MAX_BYTES)]: 1 }))
    await expectTooLarge(store.set('sid', Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`n${i}`, i]))))
  })

  test('makes a request fail with status 500 and no session', async () => {
    const app = express()
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    app.get('/', (req, _res, next) => {
      Object.assign(req.session, { value: letters(MAX_BYTES) })
      req.session.save((err) => next(err ?? new Error('saved')))
    })
    const codes: unknown[] = []
    app.use(((err, _req, res, _next) => {
      codes.push(err.code)
      if (!res.headersSent) res.status(err.status).end()
    }) as express.ErrorRequestHandler)
    await request(app).get('/').expect(500)
    expect(codes[0]).toBe('ERR_SESSION_TOO_LARGE')
    expect(await client.keys(`${prefix}*`)).toEqual([])
  })
})

describe('a session that cannot be serialised', () => {
  const store = new RedisStore({ client, prefix })
  const circular: Bag = { secret: 'hush-value' }
  circular.self = circular
  const throwing = {
    toJSON() {
      throw new Error('hush-value')
    },
  }
  const unserialisable: [name: string, value: unknown][] = [
    ['a circular object', circular],
    ['a circular array', [[circular]]],
    ['a BigInt', 4242424242n],
    ['a nested BigInt', { amount: { value: 4242424242n } }],
    ['an object whose toJSON throws', throwing],
  ]

  test.each(unserialisable)(
    'for %s: an error that names the property, and nothing is written',
    async (_name, value) => {
      const expectRefused = async (work: Promise<unknown>, named: string) => {
        const failure = await failureOf(work)
        expect(failure).toMatchObject({ code: 'ERR_SESSION_NOT_SERIALIZABLE', status: 500 })
        expect(failure?.error.message).toContain(`"${named}"`)
        expectNoSecrets(failure?.error, ['hush-value', '4242424242', prefix])
      }
      await expectRefused(store.set('sid', { fine: 1, 'the culprit': value }), 'the culprit')
      await expectRefused(store.set('sid', { fine: 1, cookie: { priority: value } }), 'cookie')
      expect(await client.exists(key)).toBe(0)

      await store.set('sid', { fine: 1 })
      const before = await client.hgetall(key)
      const loaded = (await store.get('sid')) as unknown as Bag
      await expectRefused(store.set('sid', Object.assign(loaded, { fine: 2, culprit: value })), 'culprit')
      await expectRefused(store.patch('sid', { fine: 2, culprit: value }), 'culprit')
      expect(await client.hgetall(key)).toEqual(before)
    },
  )

  test.each(unserialisable.slice(0, 4))(
    'for %s: a request fails with status 500, and nothing is written',
    async (_name, value) => {
      const app = express()
      app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
      app.get('/', (req, _res, next) => {
        Object.assign(req.session, { culprit: value })
        req.session.save((err) => next(err ?? new Error('saved')))
      })
      app.use(((_err, req, res, _next) => {
        Reflect.deleteProperty(req.session, 'culprit')
        res.status(500).end()
      }) as express.ErrorRequestHandler)
      await request(app).get('/').expect(500)
      expect(await client.keys(`${prefix}*`)).toEqual([])
    },
  )

  test("by a serializer of the application's own: neither its message nor what it returns gets through", async () => {
    const fails = (stringify: () => unknown) =>
      failureOf(
        new RedisStore({ client, prefix, serializer: { parse: JSON.parse, stringify } as never }).set('sid', {
          culprit: 1,
        }),
      )
    const failures = [
      await fails(() => {
        throw new Error('cannot write hush-value')
      }),
      await fails(() => {
        throw 'hush-value'
      }),
      await fails(() => Buffer.from('hush-value')),
      await fails(() => 4242424242),
    ]
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'ERR_SESSION_NOT_SERIALIZABLE', status: 500 })
      expect(failure?.error.message).toContain('"culprit"')
      expectNoSecrets(failure?.error, ['hush-value', '4242424242'])
    }
    expect(await client.exists(key)).toBe(0)
  })

  test('what JSON leaves out is left out, and the rest is saved', async () => {
    await store.set('sid', { fine: 1, fn: () => 1, symbol: Symbol('s'), missing: undefined })
    expect(await store.get('sid')).toEqual({ fine: 1 })
  })
})

describe('a session whose lifetime makes no sense', () => {
  test.each([Number.NaN, '60', undefined, null, {}])(
    'from a ttl function that returns %p: an error, and nothing is written',
    async (ttl) => {
      const store = new RedisStore({ client, prefix, ttl: (() => ttl) as never })
      expect(await failureOf(store.set('sid', { value: 1 }))).toMatchObject({
        code: 'ERR_SESSION_INVALID_TTL',
        status: 500,
      })
      expect(await client.exists(key)).toBe(0)
    },
  )

  test.each([Infinity, 1e15, Number.MAX_VALUE])('a ttl of %p seconds still ends some day', async (ttl) => {
    const store = new RedisStore({ client, prefix, ttl: () => ttl })
    await store.set('sid', { value: 1 })
    expect(await client.pttl(key)).toBeGreaterThan(99 * 365 * 86_400_000)
    expect(store.counters.warning).toBe(0)
  })

  test.each([0, -1, -Infinity, 0.0001])('a ttl of %p seconds ends the session at once', async (ttl) => {
    await new RedisStore({ client, prefix }).set('sid', { value: 1 })
    await new RedisStore({ client, prefix, ttl: () => ttl }).set('sid', { value: 2 })
    expect(await client.exists(key)).toBe(0)
  })
})
