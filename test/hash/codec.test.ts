import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { aes256gcm, PLAIN, Unreadable } from '../../src/hash/codec.js'
import { codecOf, isEncryption } from '../../src/hash/encryption.js'

const [key, oldKey] = [randomBytes(32), randomBytes(32)]
const codec = aes256gcm([key], 'strict')
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const texts = fc.string({ unit: 'grapheme' })

describe('what is encrypted', () => {
  test('any text of any property comes back, and is not to be seen', () => {
    fc.assert(
      fc.property(texts, fc.string({ unit: 'grapheme' }), (text, name) => {
        fc.pre(!name.startsWith('@') && name !== 'cookie' && name !== '__proto__')
        const stored = codec.of('id').encode(name, `"card ${text}"`)
        expect(stored).toMatch(/^~[\w-]+$/)
        expect(codec.of('id').decode(name, stored)).toEqual({ text: `"card ${text}"`, isOutdated: false })
      }),
    )
  })

  test('a text has another envelope each time', () => {
    const envelopes = Array.from({ length: 100 }, () => codec.of('id').encode('name', '1'))
    expect(new Set(envelopes).size).toBe(100)
  })

  test('a property whose name begins with @ is encrypted, and bookkeeping is not', () => {
    const session = codec.of('id')
    expect(session.encode('@@name', '1')).toMatch(/^~/)
    for (const field of ['@', '@cookie', '@renew', '@i:user']) {
      expect(session.encode(field, 'text')).toBe('text')
      expect(session.decode(field, 'text')).toEqual({ text: 'text', isOutdated: false })
    }
  })

  test('it counts nothing in Redis, and PLAIN does', () => {
    expect([codec.isPlain, PLAIN.isPlain, codec.acceptsPlaintext, PLAIN.acceptsPlaintext]).toEqual([
      false,
      true,
      false,
      true,
    ])
  })
})

describe('what is refused', () => {
  const stored = codec.of('id').encode('name', '"text"')

  function isRefused(envelope: string): boolean {
    try {
      codec.of('id').decode('name', envelope)
      return false
    } catch (err) {
      return err instanceof Unreadable
    }
  }

  test('a text in the place of another session or property', () => {
    expect(() => codec.of('other').decode('name', stored)).toThrow(Unreadable)
    expect(() => codec.of('id').decode('other', stored)).toThrow(Unreadable)
  })

  test('an envelope with any one character changed, added or taken away', () => {
    const wrong = [...stored].flatMap((here, at) => {
      const [before, after] = [stored.slice(0, at), stored.slice(at + 1)]
      const others = [...BASE64URL, '~', '='].filter((c) => c !== here)
      return [...others.map((c) => before + c + after), before + after, `${before}A${here}${after}`]
    })
    expect(wrong.filter((envelope) => !isRefused(envelope))).toEqual([])
  })

  test('a text that nobody encrypted, unless such are accepted: then it is outdated', () => {
    expect(() => codec.of('id').decode('name', '"text"')).toThrow(Unreadable)
    const accepting = aes256gcm([key], 'accept-plaintext')
    expect(accepting.of('id').decode('name', '"text"')).toEqual({ text: '"text"', isOutdated: true })
  })

  test('a text under a key that is not in the list', () => {
    const foreign = aes256gcm([oldKey], 'strict').of('id').encode('name', '1')
    expect(() => codec.of('id').decode('name', foreign)).toThrow(Unreadable)
  })
})

test('an old key decrypts, and what it has written is outdated; the current one encrypts', () => {
  const both = aes256gcm([key, oldKey], 'strict')
  const old = aes256gcm([oldKey], 'strict').of('id').encode('name', '1')
  expect(both.of('id').decode('name', old)).toEqual({ text: '1', isOutdated: true })
  expect(codec.of('id').decode('name', both.of('id').encode('name', '2'))).toEqual({ text: '2', isOutdated: false })
})

describe('the encryption option', () => {
  const hex = key.toString('hex')
  const base64 = key.toString('base64')

  test.each([
    ['a Buffer', key],
    ['hex', hex],
    ['base64', base64],
    ['base64url', key.toString('base64url')],
  ])('a key as %s is the same key', (_form, given) => {
    expect(isEncryption({ keys: [given] })).toBe(true)
    const written = codecOf({ keys: [given] })
      .of('id')
      .encode('name', '1')
    expect(codec.of('id').decode('name', written).text).toBe('1')
  })

  test('without the option, texts stand as they are', () => {
    expect(codecOf(undefined)).toBe(PLAIN)
    expect(PLAIN.of('id').encode('name', '1')).toBe('1')
    expect(PLAIN.of('id').decode('name', '1')).toEqual({ text: '1', isOutdated: false })
  })

  test('a key that its owner wipes afterwards still works', () => {
    const own = Buffer.from(key)
    const made = codecOf({ keys: [own] })
    own.fill(0)
    expect(codec.of('id').decode('name', made.of('id').encode('name', '1')).text).toBe('1')
  })

  test.each([
    ['no object', 'x'],
    ['null', null],
    ['no keys', {}],
    ['an empty list', { keys: [] }],
    ['one key outside of a list', { keys: key }],
    ['31 bytes', { keys: [key.subarray(1)] }],
    ['33 bytes', { keys: [Buffer.concat([key, key.subarray(0, 1)])] }],
    ['a passphrase of 32 letters', { keys: ['correct horse battery staple 32!'] }],
    ['32 bytes of letters', { keys: [Buffer.from('correct horse battery staple 32!')] }],
    ['zeros', { keys: [Buffer.alloc(32)] }],
    ['a weak key behind a good one', { keys: [key, Buffer.alloc(32)] }],
    ['an unknown option', { keys: [key], key }],
    ['acceptPlaintext as a text', { keys: [key], acceptPlaintext: 'false' }],
  ])('refuses %s', (_what, value) => {
    expect(isEncryption(value)).toBe(false)
  })
})
