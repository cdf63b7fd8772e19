import fc from 'fast-check'
import { fieldOf, propertyOf } from '../../src/hash/field-name.js'
import { anyText } from '../support/any-text.js'

/** Names as an application or an attacker may give them; `binary` has lone surrogates. */
const names = fc
  .oneof(
    anyText(),
    fc.string({ unit: fc.constantFrom('@', '"', '\\', '\ud800', '\udc00', 'i', ':', '.', '{', 'a') }),
    fc.constantFrom('@', '@@', '@renew', '@cookie', '@cookie.1', '@i:user', '@"', '@"a"', '', 'constructor', 'toJSON'),
  )
  .filter((name) => name !== '__proto__' && name !== 'cookie')

test('any name of a property comes back from its field', () => {
  fc.assert(
    fc.property(names, (name) => {
      expect(propertyOf(fieldOf(name))).toBe(name)
    }),
  )
})

test('a name comes back from the bytes that Redis holds, too', () => {
  fc.assert(
    fc.property(names, (name) => {
      expect(propertyOf(Buffer.from(fieldOf(name)).toString())).toBe(name)
    }),
  )
})

test('two names never share a field', () => {
  fc.assert(
    fc.property(names, names, (a, b) => {
      fc.pre(a !== b)
      expect(Buffer.from(fieldOf(a))).not.toEqual(Buffer.from(fieldOf(b)))
    }),
  )
})

test.each(['@', '@cookie', '@cookie.1', '@renew', '@login', '@end', '@i:user', '@i:role.1', '@anything'])(
  'no property is ever held by the bookkeeping field %s',
  (field) => {
    expect(propertyOf(field)).toBeUndefined()
    expect(fieldOf(field)).not.toBe(field)
  },
)

test.each(['__proto__', 'cookie', '@"__proto__"', '@"\\u005f_proto__"', '@"cookie"', '@"\\u0063ookie"'])(
  'the field %s holds no property',
  (field) => {
    expect(propertyOf(field)).toBeUndefined()
  },
)

test.each(['@"', '@"a', '@"a"b', '@"\\x"', '@""\u0000'])(
  'the field %j is no JSON name, and holds no property',
  (field) => {
    expect(propertyOf(field)).toBeUndefined()
  },
)

test('no field whatever holds a property that would become a prototype', () => {
  const fields = fc.oneof(anyText(), names.map(fieldOf))
  fc.assert(
    fc.property(fields, (field) => {
      expect(['__proto__', 'cookie']).not.toContain(propertyOf(field))
    }),
  )
})
