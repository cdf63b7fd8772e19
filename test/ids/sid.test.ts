import fc from 'fast-check'
import { formatSid, invalidId, isSid, MAX_SID_LENGTH, parseSid } from '../../src/ids/sid.js'

const ALPHABET = 'ABCxyz019-_.~:+/=,@|'

const ids = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 1, maxLength: MAX_SID_LENGTH })
const firstIds = ids.filter((id) => !id.includes('~r'))
const proofs = fc.string({ unit: fc.constantFrom(...'Aa0-_'), minLength: 22, maxLength: 22 })
const generations = fc.integer({ min: 1, max: 36 ** 6 - 1 })

describe('isSid', () => {
  test('takes whatever has 1 to 512 characters of the alphabet', () => {
    fc.assert(fc.property(ids, (id) => isSid(id)))
  })

  test('takes each letter, digit and allowed sign, and no other character of the first 256', () => {
    const taken = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter(isSid)
    expect(taken.join('')).toBe('+,-./0123456789:=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz|~')
  })

  test('refuses a text with one other character anywhere in it', () => {
    const other = fc
      .integer({ min: 0, max: 0x10ffff })
      .map((code) => String.fromCodePoint(code))
      .filter((c) => !/[\w\-.~:+/=,@|]/.test(c))
    fc.assert(
      fc.property(ids, other, fc.nat(), (id, bad, at) => {
        const place = at % (id.length + 1)
        expect(isSid(id.slice(0, place) + bad + id.slice(place))).toBe(false)
      }),
    )
  })

  test.each([
    ['nothing', ''],
    ['513 characters', 'a'.repeat(513)],
    ['__proto__', '__proto__'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['a list', ['abc']],
    ['a String object', new String('abc')],
  ])('refuses %s', (_what, value) => {
    expect(isSid(value)).toBe(false)
    expect(parseSid(value)).toBeNull()
  })
})

describe('parseSid', () => {
  test('gives back what formatSid was given, for any first id, generation and proof', () => {
    fc.assert(
      fc.property(firstIds, generations, proofs, (first, generation, proof) => {
        const text = formatSid({ first, generation, proof })
        fc.pre(isSid(text))
        expect(parseSid(text)).toEqual({ first, generation, proof })
      }),
    )
  })

  test('takes any id for a first id that does not end as one of a renewed session', () => {
    fc.assert(
      fc.property(ids, (id) => {
        fc.pre(!/~r[1-9a-z][0-9a-z]{0,5}~[\w-]{22}$/.test(id))
        expect(parseSid(id)).toEqual({ first: id, generation: 0, proof: '' })
      }),
    )
  })

  const PROOF = 'Vb0'.padEnd(22, 'x')
  test.each([
    ['generation 0', `a~r0~${PROOF}`],
    ['a leading zero', `a~r01~${PROOF}`],
    ['upper case', `a~rZ~${PROOF}`],
    ['a short proof', `a~r1~${PROOF.slice(1)}`],
    ['nothing before it', `~r1~${PROOF}`],
  ])('takes one with %s for a first id', (_what, id) => {
    expect(parseSid(id)).toEqual({ first: id, generation: 0, proof: '' })
  })

  test('an id renewed twice names the first renewed id, and no session of its own', () => {
    expect(parseSid(`a~r1~${PROOF}~r2~${PROOF}`)).toEqual({ first: `a~r1~${PROOF}`, generation: 2, proof: PROOF })
  })

  test('is null where the first id is none', () => {
    expect(parseSid(`__proto__~r1~${PROOF}`)).toBeNull()
  })

  test('formatSid of a first id is the id', () => {
    expect(formatSid({ first: 'abc', generation: 0, proof: '' })).toBe('abc')
  })
})

describe('what is wrong with an id', () => {
  test.each([
    [7, 'it is no text (number)'],
    ['', 'it is empty'],
    ['a'.repeat(513), 'it is longer than 512 characters'],
    ['__proto__', 'it is __proto__'],
    [`a~r1~${'x'.repeat(22)}`, 'it ends as the id of a renewed session does (~r1~…)'],
    ['a b', 'it has a character that is none of A-Z a-z 0-9 - _ . ~ : + / = , @ |'],
  ])('%p: %s', (value, fault) => {
    expect(invalidId(value).message).toContain(fault)
  })

  test('the error has a code and does not repeat the id', () => {
    // The error itself has words such as toString.
    const { message } = invalidId('\u0007')
    const secrets = fc.string({ unit: 'grapheme', minLength: 8 }).filter((text) => !message.includes(text))
    fc.assert(
      fc.property(secrets, (secret) => {
        const err = invalidId(`${secret}\u0007`)
        expect(err).toMatchObject({ code: 'ERR_SESSION_INVALID_ID' })
        expect(err.message).not.toContain(secret)
      }),
    )
  })
})
