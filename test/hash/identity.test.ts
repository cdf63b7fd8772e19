import fc from 'fast-check'
import { identityOf } from '../../src/hash/identity.js'
import { anyText } from '../support/any-text.js'

test('a number, its text and its bigint are one identity', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (n) => {
      expect([identityOf(n), identityOf(BigInt(n)), identityOf(String(n))]).toEqual([String(n), String(n), String(n)])
    }),
  )
})

test('a text is its own identity, unless it holds half a surrogate pair', () => {
  fc.assert(fc.property(anyText(), (text) => identityOf(text) === (text.isWellFormed() ? text : undefined)))
})

test('an object that JSON makes a text or number has that identity, as it has once Redis has held it', () => {
  class ObjectId {
    toJSON() {
      return '507f1f77bcf86cd799439011'
    }
  }
  expect(identityOf(new ObjectId())).toBe('507f1f77bcf86cd799439011')
  expect(identityOf(new Date(0))).toBe(JSON.parse(JSON.stringify(new Date(0))))
  expect(identityOf({ toJSON: () => 7 })).toBe('7')
})

test.each([
  [undefined],
  [null],
  [true],
  [Number.NaN],
  [Number.POSITIVE_INFINITY],
  [Symbol('a')],
  [() => 'a'],
  [{}],
  [{ id: 7 }],
  [['a']],
  [{ toJSON: () => ({ id: 7 }) }],
  [{ toJSON: 'text' }],
  [new Date(Number.NaN)],
])('%p identifies nobody', (value) => {
  expect(identityOf(value)).toBeUndefined()
})

test('an object whose toJSON throws identifies nobody', () => {
  const value = {
    toJSON() {
      throw new Error('secret')
    },
  }
  expect(identityOf(value)).toBeUndefined()
})
