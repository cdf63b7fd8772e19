import session from 'express-session'
import fc from 'fast-check'
import {
  convertExpires,
  isExpressCookie,
  isLiveCookie,
  isSameCookie,
  isSameLifetime,
  isUntouched,
  isUsableCookie,
  plainCookie,
  timeOf,
  withExpires,
} from '../../src/hash/live-cookie.js'
import { dropProto } from '../../src/hash/session-data.js'

/** biome-ignore lint/suspicious/noExplicitAny: what a test puts into a cookie, no type allows */
type Bag = any

const liveCookie = (options: Bag = {}): Bag => Object.assign(new (session.Cookie as Bag)(options), {})
const of = (cookie: unknown): Bag => ({ cookie })

describe('the cookie of a session as JSON has it', () => {
  test('is that of express-session', () => {
    const cookie = liveCookie({ maxAge: 60_000, sameSite: 'lax', secure: true })
    expect(plainCookie(of(cookie))).toEqual(JSON.parse(JSON.stringify(cookie)))
  })

  test('of plain data is the data, as JSON keeps it', () => {
    const data = {
      originalMaxAge: null,
      expires: new Date(0),
      path: '/',
      left: undefined,
      out: () => 1,
      nan: Number.NaN,
    }
    expect(plainCookie(of(data))).toEqual({ ...JSON.parse(JSON.stringify(data)) })
  })

  test.each([[undefined], [null], [false], [0], ['']])('%p is none', (cookie) => {
    expect(plainCookie(of(cookie))).toBeUndefined()
  })

  test.each([
    ['text'],
    [7],
    [true],
    [[]],
    [{ originalMaxAge: '60000' }],
    [{ maxAge: {} }],
    [{ expires: {} }],
    [{ expires: true }],
  ])('%j is refused', (cookie) => {
    expect(() => plainCookie(of(cookie))).toThrow(expect.objectContaining({ code: 'ERR_SESSION_INVALID_COOKIE' }))
  })

  test('what JSON cannot hold is refused, and the error does not repeat it', () => {
    const circle: Bag = { secret: 'card 4111' }
    circle.self = circle
    for (const value of [circle, 1n]) {
      const refused = expect.objectContaining({
        code: 'ERR_SESSION_NOT_SERIALIZABLE',
        message: expect.not.stringContaining('4111'),
      })
      expect(() => plainCookie(of({ custom: value }))).toThrow(refused)
    }
  })

  test('has no prototype of its own, and nothing of what @fastify/session notes', () => {
    const cookie = { toJSON: () => JSON.parse('{"path":"/","originalExpires":"x","__proto__":{"a":1}}') as unknown }
    const plain = plainCookie(of(cookie))
    expect(plain).toEqual({ path: '/' })
    expect(Object.getPrototypeOf(plain)).toBe(Object.prototype)
  })
})

test('a text that an application assigns to expires becomes a Date, if it is one', () => {
  const cookie = liveCookie()
  for (const [given, date] of [
    ['2999-01-01T00:00:00.000Z', new Date('2999-01-01T00:00:00.000Z')],
    ['soon', 'soon'],
  ] as const) {
    Object.defineProperty(cookie, 'expires', { value: given, writable: true, configurable: true })
    convertExpires(cookie)
    expect(cookie.expires).toEqual(date)
  }
  const plain = { expires: '2999-01-01T00:00:00.000Z' }
  convertExpires(plain)
  expect(plain.expires).toBe('2999-01-01T00:00:00.000Z')
})

test('a live cookie is one with toJSON; only that of express-session serialises itself', () => {
  const foreign = { toJSON: () => ({}) }
  expect([liveCookie(), foreign, {}, undefined, 'text'].map(isLiveCookie)).toEqual([true, true, false, false, false])
  expect([liveCookie(), foreign, {}, undefined].map(isExpressCookie)).toEqual([true, false, false, false])
})

describe('an untouched cookie', () => {
  const loaded = {
    originalMaxAge: 60_000,
    expires: '2999-01-01',
    httpOnly: true,
    path: '/',
    sameSite: 'lax',
    secure: true,
  }
  const same = (changes: Bag = {}) =>
    Object.assign(liveCookie(), {
      _expires: new Date(),
      originalMaxAge: 60_000,
      sameSite: 'lax',
      secure: true,
      ...changes,
    })

  test('differs in expires alone', () => {
    expect(isUntouched(same(), loaded)).toBe(true)
  })

  test.each([
    ['originalMaxAge', 60_001],
    ['expires', null],
    ['httpOnly', false],
    ['path', '/a'],
    ['domain', 'example.com'],
    ['secure', false],
    ['sameSite', 'strict'],
    ['partitioned', true],
    ['priority', 'high'],
  ])('is none once %s is %p', (name, value) => {
    expect(isUntouched(same({ [name]: value }), loaded)).toBe(false)
  })

  test('is no plain data, which is in doubt', () => {
    expect(isUntouched({ ...loaded }, loaded)).toBe(false)
  })
})

describe('two cookies are the same', () => {
  test('whatever their expires, with the defaults of express-session, and within 5 ms of lifetime', () => {
    expect(isSameCookie({ expires: 'a' }, { originalMaxAge: null, httpOnly: true, path: '/' })).toBe(true)
    expect(isSameCookie({ originalMaxAge: 60_000 }, { originalMaxAge: 59_995 })).toBe(true)
    expect(isSameCookie(undefined, undefined)).toBe(true)
  })

  test.each([
    [{ originalMaxAge: 60_000 }, { originalMaxAge: 59_994 }],
    [{ originalMaxAge: 60_000 }, { originalMaxAge: null }],
    [{ secure: true }, { secure: false }],
    [{ secure: false }, {}],
    [{ path: '/a' }, {}],
    [{}, undefined],
  ])('but not %j and %j', (a, b) => {
    expect([isSameCookie(a, b), isSameCookie(b, a)]).toEqual([false, false])
  })

  test('lifetimes: by no more than express-session makes them differ', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: -20, max: 20 }), (ms, by) => {
        expect(isSameLifetime(ms, ms + by)).toBe(Math.abs(by) <= 5)
      }),
    )
  })
})

test('expires says a time as number or text, and nothing else says one', () => {
  expect(['1970-01-01T00:00:01.000Z', 7, 'soon', null, undefined, {}].map(timeOf)).toEqual([
    1000,
    7,
    Number.NaN,
    Number.NaN,
    Number.NaN,
    Number.NaN,
  ])
})

test('a copy gets the expires of its load only where its cookie has a lifetime', () => {
  const withLifetime = of({ originalMaxAge: 60_000, expires: 'old' })
  expect(withExpires(withLifetime, 'new')).toEqual(of({ originalMaxAge: 60_000, expires: 'new' }))
  expect(withLifetime.cookie.expires).toBe('old')
  for (const other of [of({ originalMaxAge: null }), of(undefined), of(liveCookie({ maxAge: 1000 }))])
    expect(withExpires(other, 'new')).toBe(other)
})

test('a maxAge that is no number is of no use', () => {
  const usable = [{}, { originalMaxAge: null }, { originalMaxAge: 7 }, { maxAge: 0 }, { maxAge: '' }]
  const useless = [{ originalMaxAge: '7' }, { maxAge: {} }, { maxAge: true }]
  expect([usable.every(isUsableCookie), useless.some(isUsableCookie)]).toEqual([true, false])
})

test('dropProto leaves no own __proto__, and everything else', () => {
  const dropped = dropProto(JSON.parse('{"a":1,"__proto__":{"b":2}}') as object)
  expect(Object.keys(dropped)).toEqual(['a'])
  expect(Object.assign({}, dropped)).not.toHaveProperty('b')
})
