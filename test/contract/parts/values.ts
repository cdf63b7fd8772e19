import type { Data, Subject } from './subject.js'

const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

const KEPT: [what: string, value: unknown][] = [
  ['an empty string', ''],
  ['0', 0],
  ['a negative fraction', -0.25],
  ['the largest integer', Number.MAX_SAFE_INTEGER],
  ['a number in exponential notation', 1e300],
  ['false', false],
  ['true', true],
  ['null', null],
  ['an empty array', []],
  ['an empty object', {}],
  ['text that looks like JSON', '{"admin":true}'],
  ['text that looks like a number', '007'],
  ['quotes, backslashes and control characters', '"\\\b\f\n\r\t\u0000\u007f\u2028'],
  ['unicode', 'Grüße, 你好, שלום, 👩‍👩‍👧 e\u0301'],
  ['lone surrogates', 'a\ud800b\udc00'],
  ['a long text', 'ab'.repeat(100_000)],
  ['nested data', { cart: { items: [{ sku: 'a', n: 0 }, null, [], [[['deep']]]], note: '' } }],
  ['deep nesting', JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`)],
  ['awkward names inside', { '': 0, '@': 1, '@x': 2, constructor: 3, toString: 4, hasOwnProperty: 5, cookie: 6 }],
]

export function values(subject: Subject): void {
  test.each(KEPT)('%s comes back as it was', async (_what, value) => {
    await subject.set('a', { cookie, value, list: [value] })
    expect(await subject.get('a')).toStrictEqual({ cookie, value, list: [value] })
  })

  test.each(KEPT)('%s takes the place of another value, and is replaced by it', async (_what, value) => {
    await subject.set('a', { cookie, value: 'other' })
    const first = (await subject.get('a')) as Data
    first.value = value
    await subject.set('a', first)
    const second = (await subject.get('a')) as Data
    expect(second).toStrictEqual({ cookie, value })
    second.value = 'other'
    await subject.set('a', second)
    expect(await subject.get('a')).toStrictEqual({ cookie, value: 'other' })
  })

  test.each<[string, unknown, unknown]>([
    ['a Date becomes its ISO text', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an object with toJSON becomes what that gives', { toJSON: () => ({ a: 1 }) }, { a: 1 }],
    ['NaN becomes null', Number.NaN, null],
    ['-0 becomes 0', -0, 0],
    ['undefined in an array becomes null', [undefined, 1], [null, 1]],
    ['undefined in an object is left out', { a: undefined, b: 1 }, { b: 1 }],
    ['a Map becomes an empty object', new Map([[1, 2]]), {}],
  ])('as with JSON, %s', async (_what, value, kept) => {
    await subject.set('a', { cookie, value })
    expect(await subject.get('a')).toStrictEqual({ cookie, value: kept })
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
  ])('a property that is %s is left out', async (_what, value) => {
    await subject.set('a', { cookie, value, other: 1 })
    expect(await subject.get('a')).toStrictEqual({ cookie, other: 1 })
  })

  test('a property set to undefined is gone after the next save', async () => {
    await subject.set('a', { cookie, user: 'ann', other: 1 })
    const data = (await subject.get('a')) as Data
    data.user = undefined
    await subject.set('a', data)
    expect(await subject.get('a')).toStrictEqual({ cookie, other: 1 })
  })

  test('a session without any property is a session all the same', async () => {
    await subject.set('a', { cookie })
    expect(await subject.get('a')).toStrictEqual({ cookie })
    expect(await subject.length()).toBe(1)
  })

  test('5,000 properties come back, and can all be changed or removed in one save', async () => {
    const names = Array.from({ length: 5000 }, (_, i) => `p${i}`)
    await subject.set('a', { cookie, ...Object.fromEntries(names.map((name) => [name, 0])) })
    const data = (await subject.get('a')) as Data
    expect(Object.keys(data)).toHaveLength(5001)
    for (const [i, name] of names.entries()) {
      if (i < 2500) data[name] = i
      else delete data[name]
    }
    await subject.set('a', data)
    const kept = Object.fromEntries(names.slice(0, 2500).map((name, i) => [name, i]))
    expect(await subject.get('a')).toStrictEqual({ cookie, ...kept })
  })

  test('inherited and symbol properties are not part of a session', async () => {
    const data = Object.assign(Object.create({ inherited: 1 }), { cookie, own: 1, [Symbol('s')]: 1 })
    await subject.set('a', data)
    expect(await subject.get('a')).toStrictEqual({ cookie, own: 1 })
  })

  test.each<[string, () => unknown]>([
    ['a BigInt', () => 1n],
    [
      'a circle',
      () => {
        const circle: Record<string, unknown> = {}
        circle.self = circle
        return circle
      },
    ],
  ])('%s cannot be saved, and what was there before stays', async (_what, make) => {
    await subject.set('a', { cookie, value: 'before' })
    const data = { cookie, value: make() }
    if (subject.is.unserialisable === 'set throws') {
      expect(() => subject.store.set('a', data as never)).toThrow(TypeError)
    } else {
      await expect(subject.set('a', data)).rejects.toMatchObject({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })
    }
    expect(await subject.get('a')).toStrictEqual({ cookie, value: 'before' })
  })

  test('a session of over 1 MiB is saved, or refused as a whole', async () => {
    await subject.set('a', { cookie, value: 'before' })
    const saved = subject.set('a', { cookie, other: 1, value: 'x'.repeat(1024 * 1024) })
    if (subject.is.size === 'unlimited') {
      await saved
      expect(await subject.get('a')).toMatchObject({ other: 1 })
    } else {
      await expect(saved).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
      expect(await subject.get('a')).toStrictEqual({ cookie, value: 'before' })
    }
  })
}
