import fc from 'fast-check'
import { fromText, isThenable, type Serializer, serialising, toText } from '../../src/hash/serializer.js'
import { anyText } from '../support/any-text.js'

const json: Serializer = { stringify: (value) => JSON.stringify(value), parse: (text) => JSON.parse(text) as unknown }
const failing = (err: unknown): Serializer => ({
  ...json,
  stringify() {
    throw err
  },
})

test('any value of JSON comes back, and any string on the short way', () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), anyText()), (value) => {
      const text = toText(JSON, 'a', value) as string
      expect(fromText(JSON, text)).toEqual(JSON.parse(text))
      expect(fromText(json, text)).toEqual(JSON.parse(text))
    }),
  )
})

test.each([[''], ['"'], ['"a'], ['a"'], ['"a"b"'], ['"a\\"'], ['"\\x"'], ['{'], ['undefined']])(
  '%j is no JSON',
  (text) => {
    expect(() => fromText(JSON, text)).toThrow(SyntaxError)
  },
)

test('a text with a raw control character, which JSON never writes, is taken as it is', () => {
  expect(fromText(JSON, '"a\nb"')).toBe('a\nb')
})

test('what JSON leaves out has no text', () => {
  expect([undefined, () => 1, Symbol('a')].map((value) => toText(JSON, 'a', value))).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('undefined is never given to a serializer', () => {
  expect(toText(failing(new Error('asked')), 'a', undefined)).toBeUndefined()
})

test.each([[new RangeError('card 4111 1111')], ['card 4111 1111']])(
  'a serializer that throws %p: the error names the property, and does not repeat the message',
  (err) => {
    const thrown = failureOf(() => toText(failing(err), 'na"me', 1))
    expect(thrown).toMatchObject({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })
    expect(thrown.message).toContain('"na\\"me"')
    expect(thrown.message).not.toContain('4111')
    expect(thrown.cause).toBeUndefined()
  },
)

test('a serializer that gives no text is an error that says what it gave', () => {
  const wrong = { ...json, stringify: () => Buffer.from('card 4111') } as unknown as Serializer
  const thrown = failureOf(() => toText(wrong, 'name', 1))
  expect(thrown).toMatchObject({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })
  expect(thrown.message).toContain('got object')
})

test('serialising is under way while a value is made text, also within another one, and not after a failure', () => {
  const seen: boolean[] = []
  const nested: Serializer = {
    ...json,
    stringify(value) {
      toText(JSON, 'inner', value)
      seen.push(serialising.isUnderWay)
      return 'text'
    },
  }
  toText(nested, 'outer', 1)
  failureOf(() => toText(failing(new Error('no')), 'outer', 1))
  expect([...seen, serialising.isUnderWay]).toEqual([true, false])
})

test.each([
  [Promise.resolve(), true],
  [Object.fromEntries([['then', () => 1]]), true],
  [Object.fromEntries([['then', 'soon']]), false],
  [() => 1, false],
  [null, false],
  ['then', false],
])('%p is to come later: %p', (value, isLater) => {
  expect(isThenable(value)).toBe(isLater)
})

function failureOf(work: () => unknown): Error {
  try {
    work()
  } catch (err) {
    return err as Error
  }
  throw new Error('nothing was thrown')
}
