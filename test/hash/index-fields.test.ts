import fc from 'fast-check'
import {
  decodeIndexValue,
  encodeIndexValue,
  entriesIn,
  furtherFields,
  indexField,
  indexFields,
  isIndexField,
  without,
} from '../../src/hash/index-fields.js'
import { anyText } from '../support/any-text.js'

/** biome-ignore lint/suspicious/noExplicitAny: an index may look at anything */
type Bag = any

const NONE = new Map<string, string>()
const roles = [['role', (session: Bag) => session.roles]] as const
const fieldsOf = (values: unknown, held: ReadonlyMap<string, string> = NONE) =>
  indexFields(roles, { roles: values }, held)

describe('the fields of an index', () => {
  test.each([
    ['one value', 'admin', { '@i:role': 'admin' }],
    ['a number', 7, { '@i:role': '7' }],
    ['a list of one', ['admin'], { '@i:role': 'admin' }],
    ['a list', ['admin', 'editor'], { '@i:role': '2:admin', '@i:role.1': 'editor' }],
    ['the same twice', ['7', 7, 7n], { '@i:role': '7' }],
    ['values that count for nothing', [null, 'admin', undefined, ''], { '@i:role': 'admin' }],
    ['no value', undefined, {}],
    ['null', null, {}],
    ['an empty list', [], {}],
    ['zero', 0, { '@i:role': '0' }],
  ])('of %s', (_what, values, fields) => {
    expect(Object.fromEntries(fieldsOf(values))).toEqual(fields)
  })

  test('say that what is not there any more is empty, and leave other indexes alone', () => {
    const held = new Map([
      ['@i:role', '3:a'],
      ['@i:role.1', 'b'],
      ['@i:role.2', ''],
      ['@i:roles', 'other'],
      ['@i:user', '7'],
      ['role', 'a property'],
    ])
    expect(Object.fromEntries(fieldsOf('a', held))).toEqual({ '@i:role': 'a', '@i:role.1': '' })
    expect(Object.fromEntries(fieldsOf(undefined, held))).toEqual({ '@i:role': '', '@i:role.1': '' })
  })

  test.each([
    [{}],
    [true],
    [Number.NaN],
    [[['a']]],
    [() => 1],
    [Symbol('a')],
    [Array.from({ length: 101 }, (_, i) => i)],
  ])('there are none of %p, but an error that names the index', (values) => {
    expect(() => fieldsOf(values)).toThrow(
      expect.objectContaining({ code: 'ERR_SESSION_INVALID_INDEX', message: expect.stringContaining('"role"') }),
    )
  })

  test('are read as the entries that they were made of, in any order of fields', () => {
    const values = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 100 })
    fc.assert(
      fc.property(values, fc.infiniteStream(fc.nat()), (list, order) => {
        const fields = [...fieldsOf(list)].map((pair) => [order.next().value, pair] as const)
        const shuffled = fields.sort(([a], [b]) => a - b).map(([, pair]) => pair)
        const expected = list.map((value) => ({ name: 'role', value: encodeIndexValue('role', value) }))
        expect(entriesIn(shuffled)).toEqual(expected)
      }),
    )
  })

  test('behind the first one are named by the first one', () => {
    const fields = fieldsOf(['a', 'b', 'c'])
    expect(furtherFields([['@i:role', fields.get('@i:role') ?? '']])).toEqual(['@i:role.1', '@i:role.2'])
    expect(furtherFields([['@i:role', 'a']])).toEqual([])
  })

  test('a planted number of values costs no more than a hundred', () => {
    expect(entriesIn([['@i:role', '4294967295:a']])).toEqual([{ name: 'role', value: 'a' }])
    const planted = Array.from({ length: 150 }, (_, i) => [`@i:role.${i + 1}`, `v${i}`] as const)
    expect(entriesIn([['@i:role', '999:a'], ...planted])).toHaveLength(100)
    expect(furtherFields([['@i:role', '4294967295:a']])).toHaveLength(99)
    expect(entriesIn([['@i:role', '0:a']])).toEqual([{ name: 'role', value: 'a' }])
  })

  test('are told from properties and other bookkeeping', () => {
    expect(['@i:user', indexField('user'), '@', '@cookie', '@@i:user', 'i:user'].map(isIndexField)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ])
  })
})

describe('a value', () => {
  test('is under 45 bytes of plain characters, whatever it is: no blank, colon, brace or glob', () => {
    fc.assert(
      fc.property(anyText({ minLength: 1 }), (text) => {
        const value = text.toWellFormed()
        expect(encodeIndexValue('role', value)).toMatch(/^(#[\w-]{43}|[\w\-.!~*'()%]{1,44})$/)
      }),
    )
  })

  test('comes back, if it is short', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }), (value) => {
        const encoded = encodeIndexValue('role', value)
        fc.pre(!encoded.startsWith('#'))
        expect(decodeIndexValue(encoded)).toBe(value)
      }),
    )
  })

  test('two values never share a place', () => {
    const values = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(values, values, (a, b) => {
        fc.pre(a !== b)
        expect(encodeIndexValue('role', a)).not.toBe(encodeIndexValue('role', b))
      }),
    )
  })

  test('that looks like a digest is none', () => {
    const long = encodeIndexValue('role', 'x'.repeat(100))
    expect(encodeIndexValue('role', long)).not.toBe(long)
  })

  test('that Redis holds and nobody can decode stands as it is', () => {
    expect(decodeIndexValue('%zz')).toBe('%zz')
  })
})

test('without leaves out what is in both, by name and value', () => {
  const [a, b, c] = [
    { name: 'user', value: '1' },
    { name: 'role', value: '1' },
    { name: 'user', value: '2' },
  ]
  expect(without([a, b, c], [{ ...b }])).toEqual([a, c])
  expect(without([a], [])).toEqual([a])
})
