import fc from 'fast-check'
import { decodeConnectRedisString } from '../../src/hash/connect-redis-string.js'
import { anyText } from '../support/any-text.js'

const decode = (text: string) => decodeConnectRedisString(text, JSON)
const dictionary = fc.dictionary(anyText(), fc.jsonValue(), { noNullPrototype: true })

test('any session of connect-redis comes back as JSON has it', async () => {
  await fc.assert(
    fc.asyncProperty(dictionary, fc.option(fc.integer()), async (content, originalMaxAge) => {
      const text = JSON.stringify({ ...content, cookie: { originalMaxAge, path: '/' } })
      const { ['__proto__']: _dropped, ...expected } = JSON.parse(text) as Record<string, unknown>
      expect(await decode(text)).toEqual(expected)
    }),
  )
})

test.each([[''], ['nonsense'], ['{'], ['null'], ['7'], ['"text"'], ['[]'], ['[{"a":1}]']])(
  '%j is no session',
  async (text) => {
    expect(await decode(text)).toBeNull()
  },
)

test.each([[null], [7], ['text'], [{ originalMaxAge: '60000' }], [{ maxAge: [] }], [{ originalMaxAge: {} }]])(
  'one with the cookie %j, which express-session cannot use, is none',
  async (cookie) => {
    expect(await decode(JSON.stringify({ user: 7, cookie }))).toBeNull()
  },
)

test('one without a cookie is a session', async () => {
  expect(await decode('{"user":7}')).toEqual({ user: 7 })
})

test('a prototype of its own is dropped, from the session and from its cookie', async () => {
  const evil = '"__proto__":{"isAdmin":true}'
  const session = await decode(`{${evil},"cookie":{"path":"/",${evil}}}`)
  for (const object of [session, session?.cookie]) {
    expect(Object.hasOwn(object as object, '__proto__')).toBe(false)
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype)
  }
})

test('a serializer may take its time, and what it rejects is no session', async () => {
  const late = { stringify: JSON.stringify, parse: async (text: string) => JSON.parse(text) as unknown }
  expect(await decodeConnectRedisString('{"user":7}', late)).toEqual({ user: 7 })
  expect(await decodeConnectRedisString('nonsense', late)).toBeNull()
})
