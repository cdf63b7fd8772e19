import { RedisStore } from 'connect-redis-hash'
import fc from 'fast-check'
import { anyText } from '../support/any-text.js'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })
const key = `${prefix}s`
afterAll(() => client.quit())

/** What a session of ours holds with this text in one of its fields, as somebody may have written it by hand. */
async function heldAs(text: string): Promise<unknown> {
  await store.set('s', { cookie: { originalMaxAge: null }, field: '' } as never)
  await client.hset(key, 'field', text)
  const found = (await store.get('s')) as unknown as { field: unknown } | null
  return found === null ? 'corrupt' : found.field
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return 'corrupt'
  }
}

test('any string comes back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(anyText({ maxLength: 300 }), async (value) => {
      expect(await heldAs(JSON.stringify(value))).toBe(value)
    }),
    { numRuns: 300 },
  )
})

test('any text is what JSON.parse makes of it, or makes the session unreadable', async () => {
  const pieces = fc.constantFrom(
    '"',
    '"',
    '\\',
    '\\"',
    '\\u0041',
    'a',
    'é',
    '😀',
    ' ',
    '1',
    '[',
    ']',
    '{',
    '}',
    ':',
    ',',
    'null',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { maxLength: 8 }), async (parts) => {
      const text = parts.join('')
      expect(await heldAs(text)).toEqual(parsed(text))
    }),
    { numRuns: 500 },
  )
})
