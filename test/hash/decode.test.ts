import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { aes256gcm, PLAIN } from '../../src/hash/codec.js'
import { CorruptHash, type DecodedHash, decodeHash } from '../../src/hash/decode.js'
import { encodeProperties } from '../../src/hash/encode.js'
import { newSecret } from '../../src/hash/renewal-field.js'
import type { Serializer } from '../../src/hash/serializer.js'
import { anyText } from '../support/any-text.js'

/** Flag O: a session without a cookie. */
const NO_COOKIE: [string, string] = ['@', 'h2mzk9w8qe 4fk 12kw0 3 O']
const BOOKKEEPING: [string, string] = ['@', 'h2mzk9w8qe 4fk 12kw0 3']

/** An asynchronous serializer that takes longer for some texts than for others. */
const late: Serializer = {
  stringify: JSON.stringify,
  parse: async (text) => {
    if (text.length % 2 === 0) await new Promise(setImmediate)
    return JSON.parse(text) as unknown
  },
}

const plain = PLAIN.of('id')

const read = (fields: Iterable<readonly [string, string]>, serializer: Serializer = JSON, codec = plain) =>
  decodeHash([...fields].flat(), serializer, codec)

function readable(decoded: Awaited<ReturnType<typeof read>>): DecodedHash {
  if (decoded instanceof CorruptHash) throw new Error(`unreadable: ${decoded.reason} ${decoded.property}`)
  return decoded
}

const names = fc.oneof(
  anyText(),
  fc.string({ unit: fc.constantFrom('@', '"', '\\', '\ud800', 'i', ':', '.', 'a'), maxLength: 5 }),
  fc.constantFrom(
    '@',
    '@cookie',
    '@renew',
    '@i:user',
    'constructor',
    'toString',
    'hasOwnProperty',
    'then',
    'length',
    '0',
  ),
)
const contents = fc
  .array(fc.tuple(names, fc.jsonValue()))
  .map((pairs) => Object.fromEntries(pairs.filter(([name]) => name !== '__proto__' && name !== 'cookie')))

describe('what was encoded is decoded', () => {
  test('any content, under any names', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const { session } = readable(read([NO_COOKIE, ...encodeProperties(content, JSON)]) as DecodedHash)
        expect(session).toEqual(JSON.parse(JSON.stringify(content)))
        expect(Object.getPrototypeOf(session)).toBe(Object.prototype)
      }),
    )
  })

  test('by a serializer that takes its time, with properties in their order', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (content) => {
        const { session } = readable(await read([NO_COOKIE, ...encodeProperties(content, late)], late))
        expect(Object.entries(session)).toEqual(Object.entries(JSON.parse(JSON.stringify(content)) as object))
      }),
      { numRuns: 50 },
    )
  })

  test('where Redis holds it encrypted', () => {
    const codec = aes256gcm([randomBytes(32)], 'strict').of('id')
    fc.assert(
      fc.property(contents, (content) => {
        const encoded = encodeProperties(content, JSON)
        const held = [...encoded].map(([field, text]) => [field, codec.encode(field, text)] as const)
        const { session, fields, outdated } = readable(read([NO_COOKIE, ...held], JSON, codec) as DecodedHash)
        expect(session).toEqual(JSON.parse(JSON.stringify(content)))
        expect(fields.toMap()).toEqual(new Map(encoded))
        expect(outdated).toBeUndefined()
      }),
    )
  })
})

test('the cookie comes first, and is whole again from its pieces in any order', () => {
  const pieces: [string, string][] = [
    ['@cookie.1', '":"exam'],
    ['user', '7'],
    ['@cookie.2', 'ple.com"}'],
    ['@cookie', '3:{"domain'],
  ]
  const { session, loadedCookie } = readable(read([...pieces, BOOKKEEPING]) as DecodedHash)
  expect(Object.keys(session)).toEqual(['cookie', 'user'])
  expect(session.cookie).toMatchObject({ domain: 'example.com', path: '/' })
  expect(loadedCookie).toBeUndefined()
})

test('a piece that a longer cookie has left behind is no part of the shorter one', () => {
  const pieces: [string, string][] = [
    ['@cookie', '1:{"domain":"a"}'],
    ['@cookie.1', 'left behind'],
  ]
  expect(readable(read([BOOKKEEPING, ...pieces]) as DecodedHash).session.cookie).toMatchObject({ domain: 'a' })
})

test('a cookie of flags alone is remembered as it was loaded, apart from the one that the application changes', () => {
  const { session, loadedCookie, loadedExpires } = readable(read([['@', 'h2mzk9w8qe 4fk 12kw0 3 MSL']]) as DecodedHash)
  expect(session.cookie).toMatchObject({ secure: true, sameSite: 'lax', originalMaxAge: Number.parseInt('12kw0', 36) })
  Object.assign(session.cookie as object, { secure: false })
  expect(loadedCookie).toMatchObject({ plain: { secure: true }, encoded: { flags: 'MSL', fields: [] } })
  expect(loadedExpires).toBe(session.cookie?.expires)
})

test('bookkeeping is none of the session, whatever it is', () => {
  const secret = newSecret()
  const fields: [string, string][] = [
    ['@renew', `2 mhk3o0x1 c u0 ${secret}`],
    ['@login', 'abc'],
    ['@i:user', '7'],
    ['@isAdmin', 'true'],
    ['__proto__', '{"isAdmin":true}'],
    ['cookie', '{"path":"/evil"}'],
  ]
  const { session, generation } = readable(read([NO_COOKIE, ...fields]) as DecodedHash)
  expect(session).toEqual({})
  expect(generation).toMatchObject({ generation: 2, isConfirmed: true, secret })
})

describe('a hash that cannot be read is no session:', () => {
  const rejecting: Serializer = { ...late, parse: () => Promise.reject(new Error('no')) }

  test.each<[string, [string, string][], Partial<CorruptHash>]>([
    ['without fields', [], { reason: 'bookkeeping' }],
    ['without bookkeeping', [['user', '7']], { reason: 'bookkeeping' }],
    ['with damaged bookkeeping', [['@', 'nonsense']], { reason: 'bookkeeping' }],
    ['with a damaged renewal field', [BOOKKEEPING, ['@renew', '1 2']], { reason: 'bookkeeping' }],
    ['with a damaged cookie', [BOOKKEEPING, ['@cookie', '1:{']], { reason: 'bookkeeping' }],
    ['with a cookie that lacks its first piece', [BOOKKEEPING, ['@cookie.1', 'x"}']], { reason: 'bookkeeping' }],
    ['with one property that is no JSON', [BOOKKEEPING, ['a', '1'], ['@@b', '{']], { reason: 'field', property: '@b' }],
    ['with several, the first is named', [['b', '{'], ['a', '}'], BOOKKEEPING], { reason: 'field', property: 'b' }],
  ])('%s', (_what, fields, expected) => {
    const decoded = read(fields)
    expect(decoded).toBeInstanceOf(CorruptHash)
    expect(decoded).toMatchObject(expected)
  })

  test('where the serializer rejects a text', async () => {
    expect(await read([BOOKKEEPING, ['a', '1']], rejecting)).toMatchObject({ reason: 'field' })
  })

  test('where one property is not encrypted as it has to be', () => {
    const codec = aes256gcm([randomBytes(32)], 'strict').of('id')
    expect(read([BOOKKEEPING, ['a', '1']], JSON, codec)).toMatchObject({ reason: 'field', property: 'a' })
  })

  test('any fields whatever are a session or none, without a throw', () => {
    const fields = fc.oneof(names, fc.constantFrom('@', '@cookie', '@cookie.1', '@renew', 'a'))
    const texts = fc.oneof(
      anyText(),
      fc.json(),
      fc.constantFrom('1', '1:{}', '9:{"a":', 'h2mzk9w8qe 4fk 12kw0 3', `1 2 c 3 ${'x'.repeat(22)}`),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(fields, texts)), (pairs) => {
        const decoded = read(new Map(pairs)) as DecodedHash | CorruptHash
        if (decoded instanceof CorruptHash) return
        expect(Object.getPrototypeOf(decoded.session)).toBe(Object.prototype)
      }),
    )
  })
})

test('what is stored under an old key is to be written anew', () => {
  const [key, oldKey] = [randomBytes(32), randomBytes(32)]
  const old = aes256gcm([oldKey], 'strict').of('id').encode('a', '1')
  const both = aes256gcm([key, oldKey], 'strict').of('id')
  const decoded = readable(read([BOOKKEEPING, ['a', old], ['b', both.encode('b', '2')]], JSON, both) as DecodedHash)
  expect(decoded.outdated).toEqual(new Map([['a', old]]))
  expect(decoded.session).toMatchObject({ a: 1, b: 2 })
})

test('encoding leaves out the cookie, __proto__ and what the serializer does not keep', () => {
  const session = JSON.parse('{"a":1,"cookie":{"path":"/"},"__proto__":{"b":2}}') as Record<string, unknown>
  expect(encodeProperties({ ...session, ...{ ['__proto__']: 1 }, run: () => 1, none: undefined }, JSON)).toEqual([
    ['a', '1'],
  ])
})
